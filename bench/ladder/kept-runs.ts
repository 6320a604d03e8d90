/** Runs on real processes take a night: a file has those that are done, so that one that was broken off goes on where it was. */
import type { Pipeline } from "../../domain/pipeline.ts";
import { codeDigest, KeptRows } from "../experiments/kept-rows.ts";
import type { Arrivals, DisturbanceKind } from "./conditions.ts";
import type { RunRow } from "./play-contender.ts";

/** Folders of all that decides what comes of a run. */
const CODE = [
  "bench/ladder",
  "cli",
  "control",
  "domain",
  "gateway",
  "load",
  "optimizer",
  "pipelines",
  "predictor",
  "runtime",
  "scaler",
  "simulator",
  "variant-switcher",
];

/** Two runs with the same key have the same contender, machine and requests. */
export interface RunKey extends Arrivals {
  readonly pipeline: Pipeline;
  readonly machineCores: number;
  readonly disturbance: DisturbanceKind | null;
}

interface SpeedKey {
  readonly speedOf: string;
}

interface SpeedRow {
  readonly contender: "speed";
  readonly speedFactor: number;
}

export class KeptRuns {
  readonly #runs: KeptRows<RunKey, RunRow>;
  readonly #speeds: KeptRows<SpeedKey, SpeedRow>;

  /** A file of null keeps nothing. Runs of other `code` are not taken. */
  constructor(file: string | null, code = file === null ? "" : codeDigest(CODE)) {
    this.#runs = new KeptRows(file, code);
    this.#speeds = new KeptRows(file, code);
  }

  /** The row of a run that was kept, or else of `play`, which is kept at once. */
  async playOnce(
    key: RunKey,
    play: () => Promise<RunRow>,
  ): Promise<{ readonly row: RunRow; readonly isKept: boolean }> {
    const kept = this.#runs.of(key);
    if (kept !== null) return { row: kept, isKept: true };
    const row = await play();
    this.#runs.keep(key, row);
    return { row, isKept: false };
  }

  /** The speed of the machine that the SLO and the loads of a pipeline's runs were made for; null: there are none. */
  readSpeed(pipeline: string): number | null {
    return this.#speeds.of({ speedOf: pipeline })?.speedFactor ?? null;
  }

  keepSpeed(pipeline: string, speedFactor: number): void {
    this.#speeds.keep({ speedOf: pipeline }, { contender: "speed", speedFactor });
  }
}
