import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AFFINE_CONTRACT, affineModel, writeModel } from "../support/models.ts";

/** A switcher on free ports of this machine, with the folder of writeSwitcherFolder() at /models. */
export const SWITCHER = [
  "switcher",
  "--config=/models/config.json",
  "--host=127.0.0.1",
  "--http-port=0",
  "--grpc-port=0",
  "--admin-port=0",
  "--metrics-port=0",
] as const;

/** Writes a switcher's configuration, and the model that it serves: y = 2 x + 1. */
export function writeSwitcherFolder(folder: string): void {
  chmodSync(folder, 0o755);
  const variant = { ...writeModel(folder, "double", affineModel(2, 1)), loadMs: null, memoryMiB: null };
  const config = {
    pipeline: { namespace: "default", name: "numbers" },
    stage: "affine",
    pod: "affine-0",
    contract: AFFINE_CONTRACT,
    variants: [variant],
    defaultVariant: variant.name,
    modelFolder: "/models",
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
}
