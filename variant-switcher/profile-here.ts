import { VariscaleError } from "../domain/errors.ts";
import { serviceMs } from "../domain/profile.ts";
import type { StageContract } from "../domain/tensor.ts";
import { zeroBatch } from "./batch-input.ts";
import type { SwitcherVariant } from "./config.ts";
import { FIRST_RUN_MS } from "./prepare-session.ts";
import type { ModelSession } from "./session.ts";
import type { SessionPool } from "./session-pool.ts";
import type { Switching } from "./switching/switching.ts";

/** Runs before those that count, and at least so many that do. */
const WARM_UP_RUNS = 3;
const MIN_RUNS = 5;

export interface ProfileHereOptions {
  readonly contract: StageContract;
  readonly cores: number;
  readonly pool: SessionPool;
  readonly switching: Switching;
  /** The session was lost while it was measured, and nobody else was told. */
  readonly onLoss: (session: ModelSession, reason: string) => void;
}

export interface ProfileRequest {
  readonly variant: SwitcherVariant;
  readonly batches: readonly number[];
  /** Of each batch size. */
  readonly seconds: number;
}

/** A Profile as the pipeline file has it, measured in this pod with inputs of zeros. */
export interface MeasuredHere {
  readonly cores: number;
  readonly loadMs: number;
  readonly memoryMiB: number;
  readonly points: readonly {
    readonly batch: number;
    readonly latencyMs: number;
    readonly scv: number;
    readonly runs: number;
  }[];
}

/**
 * Measures a variant where it will serve. It shares the pod's cores, and the session where the variant serves, with whatever is served
 * meanwhile: what comes out is the service time under that load. One at a time.
 */
export class ProfileHere {
  readonly #options: ProfileHereOptions;
  #running = false;

  constructor(options: ProfileHereOptions) {
    this.#options = options;
  }

  /**
   * Throws `failed_precondition` while another one runs, and `aborted` when the variant can't be loaded or run, when a Switch comes in
   * while it loads, and when `signal` is.
   */
  async measure(request: ProfileRequest, signal: AbortSignal): Promise<MeasuredHere> {
    if (this.#running)
      throw new VariscaleError("failed_precondition", "another profile is being measured; wait for it");
    this.#running = true;
    try {
      return await this.#measure(request, signal);
    } finally {
      this.#running = false;
      this.#options.switching.tell({ kind: "endProfile" });
    }
  }

  async #measure({ variant, batches, seconds }: ProfileRequest, signal: AbortSignal): Promise<MeasuredHere> {
    const { contract, cores, pool, switching, onLoss } = this.#options;
    const loaded = await switching.ask({ kind: "profile", variant: variant.name, batches }, signal);
    if (loaded.kind === "refused") throw new VariscaleError("aborted", `${loaded.code}: ${loaded.message}`);
    const session = pool.findSession(variant.name);
    if (!session) throw new VariscaleError("aborted", `the session of ${variant.name} was lost`);
    const names = contract.outputs.map(({ name }) => name);
    const points: MeasuredHere["points"][number][] = [];
    // It may be the session that serves: a size that takes long is not to cost it its life.
    const expectedMs = (batch: number): number =>
      Math.max(
        FIRST_RUN_MS,
        variant.points.length > 0 ? serviceMs(variant, batch) : 0,
        points.length > 0 ? serviceMs({ points }, batch) : 0,
      );
    const run = async (batch: number): Promise<number> => {
      if (signal.aborted) throw new VariscaleError("aborted", "nobody waits for the profile any more");
      const inputs = zeroBatch(contract, batch);
      if (!inputs)
        throw new VariscaleError(
          "failed_precondition",
          "the contract leaves a dimension open: use `variscale profile`",
        );
      const result = await session.run(inputs, names, expectedMs(batch));
      if (result.kind === "ran") return result.serviceMs;
      if (result.kind === "lost") onLoss(session, result.reason);
      throw new VariscaleError("aborted", result.kind === "failed" ? result.message : result.reason);
    };
    for (const batch of batches.toSorted((a, b) => a - b)) {
      for (let i = 0; i < WARM_UP_RUNS; i++) await run(batch);
      const times: number[] = [];
      const endMs = performance.now() + seconds * 1000;
      while (times.length < MIN_RUNS || performance.now() < endMs) times.push(await run(batch));
      points.push({ batch, ...summary(times) });
    }
    const resident = pool.resident(variant.name);
    return { cores, loadMs: resident?.loadMs ?? 0, memoryMiB: resident?.memoryMiB ?? 0, points };
  }
}

function summary(times: readonly number[]): {
  readonly latencyMs: number;
  readonly scv: number;
  readonly runs: number;
} {
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / times.length;
  return { latencyMs: mean, scv: mean > 0 ? variance / mean ** 2 : 0, runs: times.length };
}
