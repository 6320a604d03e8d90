import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the installed package: compiled code runs from its dist/runtime. */
export const packageFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const packageVersion = (
  JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string }
).version;
