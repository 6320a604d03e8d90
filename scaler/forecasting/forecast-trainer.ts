import type { Logger } from "pino";
import { VariscaleError } from "../../domain/errors.ts";
import { packCells } from "../../predictor/cell-codec.ts";
import { chooseModel } from "../../predictor/choose-model.ts";
import { modelToJson, parseModel } from "../../predictor/network/network-model.ts";
import { HORIZONS_SECONDS } from "../../predictor/target-forecaster.ts";
import { OWN_MODEL } from "../../predictor/training/own-model-settings.ts";
import type { Clock } from "../clock.ts";
import type { PipelineControl } from "../pipeline-control.ts";
import type { ProcessConditions } from "../process-conditions.ts";
import { historyPath, modelPath } from "../state-paths.ts";
import { type StoredModel, writeModel } from "./model-store.ts";
import type { TrainingResult } from "./training-messages.ts";
import { TrainingThread, type TrainingThreadOptions } from "./training-thread.ts";

const LOOK_EVERY_MS = 60_000;
const RETRAIN_AFTER_MS = 24 * 3_600_000;
/** So much more load than in the last training is trained on at once. */
const GROWN_FACTOR = 1.5;
/** A pipeline with too little load, or whose training failed, is looked at again after this; after failures, ever later. */
const AGAIN_AFTER_MS = 3_600_000;
const MOST_FAILURES = 5;
/**
 * 450 KiB each; the pipelines beyond go on with the bundled one. A tenth of a core trains about forty a day, and more would be older
 * than the load that they forecast.
 */
export const MOST_OWN_MODELS = 128;

export interface TrainingOptions {
  /** Of one core, over all pipelines. */
  readonly share: number;
  readonly leastSeconds?: number;
  /** Networks of an ensemble. */
  readonly seeds?: readonly number[];
  readonly epochs?: number;
  readonly thread?: Omit<TrainingThreadOptions, "onOpened">;
}

export interface ForecastTrainerOptions extends TrainingOptions {
  /** Of the pipelines that there are now. */
  readonly controls: () => readonly PipelineControl[];
  /** Null: models live as long as the process, and are trained on what is in memory. */
  readonly stateDir: string | null;
  readonly clock: Clock;
  readonly conditions: ProcessConditions;
  readonly logger: Logger;
  readonly onOpened: TrainingThreadOptions["onOpened"];
  readonly onTrained: (control: PipelineControl, outcome: TrainingOutcome, busyMs: number) => void;
}

export const TRAINING_OUTCOMES = ["promoted", "kept", "stepped_back", "too_little", "failed"] as const;
export type TrainingOutcome = (typeof TRAINING_OUTCOMES)[number];

interface Turn {
  nextAtMs: number;
  failures: number;
}

/**
 * Trains the pipelines' own models, one after the other, in a thread of its own: those that have none first, then the worst calibrated.
 * A new model takes over when it wins on load that was held out; the bundled one comes back when it wins.
 */
export class ForecastTrainer {
  readonly #options: ForecastTrainerOptions;
  readonly #thread: TrainingThread;
  readonly #turns = new WeakMap<PipelineControl, Turn>();
  #stop: () => void = () => undefined;
  #training: Promise<void> | null = null;
  #closed = false;

  constructor(options: ForecastTrainerOptions) {
    this.#options = options;
    this.#thread = new TrainingThread({ ...options.thread, onOpened: options.onOpened });
  }

  /** The training under way; null: there is none. */
  get training(): Promise<void> | null {
    return this.#training;
  }

  start(): void {
    this.#stop = this.#options.clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await this.#thread.close();
    await this.#training;
  }

  #look(): void {
    if (this.#training || this.#closed) return;
    const control = this.#next();
    if (!control) {
      void this.#thread.close();
      return;
    }
    this.#training = this.#train(control).finally(() => {
      this.#training = null;
    });
  }

  /** The pipeline whose turn it is. */
  #next(): PipelineControl | null {
    const { clock } = this.#options;
    const controls = this.#options.controls();
    const nowMs = clock.nowMs();
    const isFull = controls.filter(({ model }) => model.own !== null).length >= MOST_OWN_MODELS;
    const due = controls.filter(
      control => this.#turnOf(control).nextAtMs <= nowMs && !(isFull && control.model.own === null),
    );
    const urgency = (control: PipelineControl): number =>
      control.model.training === null ? Number.POSITIVE_INFINITY : control.miscalibration;
    due.sort((a, b) => urgency(b) - urgency(a) || this.#turnOf(a).nextAtMs - this.#turnOf(b).nextAtMs);
    return due.find(control => this.#isDue(control, nowMs)) ?? null;
  }

  /** Puts it off for an hour where it is not. */
  #isDue(control: PipelineControl, nowMs: number): boolean {
    this.#turnOf(control).nextAtMs = nowMs + AGAIN_AFTER_MS;
    const {
      knownSeconds,
      model: { training },
    } = control;
    if (knownSeconds < (this.#options.leastSeconds ?? OWN_MODEL.leastSeconds)) return false;
    if (training === null) return true;
    return nowMs - training.atMs >= RETRAIN_AFTER_MS || knownSeconds >= GROWN_FACTOR * training.knownSeconds;
  }

  async #train(control: PipelineControl): Promise<void> {
    const { stateDir, clock, share, seeds = OWN_MODEL.seeds, epochs } = this.#options;
    const { key } = control.pipeline;
    const { knownSeconds } = control;
    const result = await this.#thread.train({
      cells: packCells(control.cellsAfter(Number.NEGATIVE_INFINITY)),
      archivePath: stateDir === null ? null : historyPath(stateDir, key),
      nowMs: clock.nowMs(),
      current: control.model.own && modelToJson(control.model.own),
      share,
      horizonsSeconds: HORIZONS_SECONDS,
      seeds,
      epochs: epochs ?? null,
    });
    // It was removed meanwhile.
    if (this.#closed || !this.#options.controls().includes(control)) return;
    try {
      await this.#finish(control, result, knownSeconds);
    } catch (error) {
      this.#fail(control, VariscaleError.from(error).message);
    }
  }

  async #finish(control: PipelineControl, result: TrainingResult, knownSeconds: number): Promise<void> {
    const { clock, conditions, onTrained } = this.#options;
    switch (result.kind) {
      case "failed":
        this.#fail(control, result.message);
        return;
      case "tooLittle":
        onTrained(control, "too_little", 0);
        break;
      case "trained":
        await this.#decide(control, result, knownSeconds);
        break;
      default:
        result satisfies never;
    }
    conditions.set(control.pipeline.key, "ForecastModelTrained", null, clock.nowMs());
    this.#turnOf(control).failures = 0;
  }

  async #decide(
    control: PipelineControl,
    { horizons, busyMs, model: json }: TrainingResult & { readonly kind: "trained" },
    knownSeconds: number,
  ): Promise<void> {
    const { clock, logger, onTrained } = this.#options;
    const { key } = control.pipeline;
    const choice = chooseModel(horizons);
    const { model, problem } = choice === "new" ? parseModel(json) : { model: null, problem: null };
    if (problem !== null) throw new VariscaleError("internal", `the trained model can't be used: ${problem}`);
    const before = control.model.own;
    const own = choice === "new" ? model : choice === "current" ? before : null;
    const record = {
      atMs: clock.nowMs(),
      knownSeconds,
      choice,
      horizons: horizons.map(one => ({
        ...one,
        rivalLosses: one.rivalLosses.map(loss => (Number.isFinite(loss) ? loss : null)),
      })),
    };
    await this.#store(control, { model: own, training: record });
    control.setModel({ model: own, training: record });
    const outcome = choice === "new" ? "promoted" : before && !own ? "stepped_back" : "kept";
    logger.info({ namespace: key.namespace, pipeline: key.name, outcome, busyMs, horizons }, "forecast model trained");
    onTrained(control, outcome, busyMs);
  }

  #fail(control: PipelineControl, reason: string): void {
    const { clock, conditions, onTrained } = this.#options;
    const turn = this.#turnOf(control);
    turn.failures = Math.min(turn.failures + 1, MOST_FAILURES);
    const waitMs = AGAIN_AFTER_MS * 2 ** (turn.failures - 1);
    turn.nextAtMs = clock.nowMs() + waitMs;
    const message = `training failed: ${reason}; the model in use stays, it is tried again in ${waitMs / 3_600_000} h`;
    conditions.set(control.pipeline.key, "ForecastModelTrained", message, clock.nowMs());
    onTrained(control, "failed", 0);
  }

  async #store(control: PipelineControl, stored: StoredModel): Promise<void> {
    const { stateDir, clock, conditions } = this.#options;
    if (stateDir === null) return;
    const { key } = control.pipeline;
    let problem: string | null = null;
    try {
      await writeModel(modelPath(stateDir, key), stored, clock.nowMs());
    } catch (error) {
      problem = VariscaleError.from(error).message;
    }
    conditions.set(key, "ForecastModelStored", problem, clock.nowMs());
  }

  #turnOf(control: PipelineControl): Turn {
    const turn = this.#turns.get(control) ?? { nextAtMs: 0, failures: 0 };
    this.#turns.set(control, turn);
    return turn;
  }
}
