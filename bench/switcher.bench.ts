import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askedParts } from "./asked-parts.ts";
import type { Figure } from "./figure.ts";
import { latencyFigures } from "./switcher-latency.ts";
import { memoryFigures } from "./switcher-memory.ts";
import { mlserverFigures } from "./switcher-mlserver.ts";
import { Rig } from "./switcher-rig.ts";
import { adminFigures, soakFigures } from "./switcher-robustness.ts";
import { switchFigures, worstFigures } from "./switcher-switches.ts";
import { throughputFigures } from "./switcher-throughput.ts";

/**
 * The parts of the suite by the names that `--only` takes. All of them use the same rig, which is calibrated once.
 */
const PARTS: Readonly<Record<string, (rig: Rig) => Promise<Figure[]>>> = {
  throughput: throughputFigures,
  latency: latencyFigures,
  mlserver: mlserverFigures,
  switches: switchFigures,
  worst: worstFigures,
  memory: memoryFigures,
  admin: adminFigures,
  soak: soakFigures,
};

/** What a switcher costs beside its sessions, and what a Switch, a crash and heavy load cost those who send requests meanwhile. */
export async function switcherSuite(only: readonly string[] | null): Promise<Figure[]> {
  const isShort = process.argv.includes("--short");
  const parts = askedParts(only, Object.keys(PARTS));
  const folder = mkdtempSync(join(tmpdir(), "variscale-bench-"));
  try {
    const rig = await Rig.calibrate(folder, isShort);
    const figures: Figure[] = [];
    for (const part of parts) figures.push(...((await PARTS[part]?.(rig)) ?? []));
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
