import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";

/** The words of `npm run start:scaler`. */
function words(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  return (scripts["start:scaler"] ?? "").split(" ");
}

/** The heap that Node allows itself in a container of 384 MiB, the chart's limit. By that of a whole machine it would collect less often. */
export const CONTAINER_HEAP_FLAG = "--max-old-space-size=256";

/** The flags that `npm run start:scaler` gives to node. */
export function scalerNodeFlags(): string[] {
  return words().filter(word => word.startsWith("--"));
}

/** The environment that `npm run start:scaler` gives to node. */
export function scalerEnvironment(): NodeJS.ProcessEnv {
  const set = words().flatMap(word => (/^[A-Z_]+=/.test(word) ? [word.split("=", 2)] : []));
  return { ...process.env, ...(Object.fromEntries(set) as Record<string, string>) };
}
