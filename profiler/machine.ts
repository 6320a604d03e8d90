import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";
import { packageVersion } from "../runtime/version.ts";

/** What measurements depend on beside the models. */
export type Machine = Readonly<Record<string, string | number>>;

export function describeMachine(): Machine {
  const require = createRequire(import.meta.url);
  const runtime = JSON.parse(readFileSync(require.resolve("onnxruntime-node/package.json"), "utf8")) as {
    version: string;
  };
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    onnxruntime: runtime.version,
    variscale: packageVersion,
  };
}
