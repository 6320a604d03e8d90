import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";

/** The flags that `npm run start:scaler` gives to node. */
export function scalerNodeFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  return (scripts["start:scaler"] ?? "").split(" ").filter(word => word.startsWith("--"));
}
