import { constants, copyFileSync, existsSync, renameSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import type { LoadCell } from "../predictor/load-history.ts";
import { readState, writeState } from "../runtime/state-file.ts";
import type { Clock } from "./clock.ts";
import { readModel, type StoredModel } from "./forecasting/model-store.ts";
import { appendToArchive, readArchive } from "./history-archive.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { ProcessConditions } from "./process-conditions.ts";
import { Rota } from "./rota.ts";
import { historyPath, modelPath, pipelineStatePath, unusableStatePath } from "./state-paths.ts";
import { parseStoredPipeline, type StoredPipeline } from "./stored-pipeline.ts";

const SAVE_EVERY_MS = 10_000;
/** Of several scalers what the leader shares stands above what is stored here. */
const BEGINS_ANEW = "the pipeline begins anew, unless another scaler has shared its own";

export interface StateKeeperOptions {
  /** Null: nothing is stored. */
  readonly stateDir: string | null;
  readonly clock: Clock;
  readonly conditions: ProcessConditions;
  readonly onSave: (key: PipelineKey, ok: boolean) => void;
}

/** Stores what each pipeline's control knows, and finds it again after a restart. A disk that is full or read-only is a condition. */
export class StateKeeper {
  readonly #options: StateKeeperOptions;
  readonly #savedRevisions = new Map<string, number>();
  /** Index of the newest cell that is in the archive. */
  readonly #archived = new Map<string, number>();
  readonly #leaves = new Map<PipelineControl, () => void>();
  #saving: Promise<void> = Promise.resolve();
  readonly #rota: Rota;

  constructor(options: StateKeeperOptions) {
    this.#options = options;
    this.#rota = new Rota(options.clock, SAVE_EVERY_MS);
  }

  /** Null: there is none, or none that can be used; the latter shows as a condition until this process ends. */
  load(pipeline: Pipeline): StoredPipeline | null {
    const { stateDir, conditions, clock } = this.#options;
    if (stateDir === null) return null;
    const path = pipelineStatePath(stateDir, pipeline.key);
    const set = (type: "StateUsable" | "StateSaved", problem: string) =>
      conditions.set(pipeline.key, type, problem, clock.nowMs());
    const aside = unusableStatePath(stateDir, pipeline.key);
    // Before the next save writes over it.
    const copied = () => keptAside(aside, () => copyFileSync(path, aside, constants.COPYFILE_EXCL));
    const unusable = (reason: string) =>
      set("StateUsable", `what was stored can't be gone on from: ${reason}; ${BEGINS_ANEW}`);
    try {
      const read = readState(path);
      if (read.kind === "absent") return null;
      if (read.kind === "corrupt") {
        unusable(read.reason.replace(/\.$/, ""));
        return null;
      }
      const { stored, problem } = parseStoredPipeline(read.payload);
      if (problem === null) return stored;
      if (stored?.control) set("StateUsable", `${path} can't be used as a whole: ${problem}. ${copied()}`);
      else unusable(`${problem}. ${copied()}`);
      return stored;
    } catch (error) {
      const { message } = VariscaleError.from(error);
      if (isBelowFile(error)) set("StateSaved", `${path} can't be read: ${message}; ${BEGINS_ANEW}`);
      // A file may be renamed that may not be read.
      else unusable(`${message}. ${keptAside(aside, () => renameSync(path, aside))}`);
      return null;
    }
  }

  /** Ten-second cells of the load, rising, to be gone through once; none where they can't be read, which shows as a condition. */
  loadHistory(pipeline: Pipeline): Iterable<LoadCell> {
    const { stateDir, clock } = this.#options;
    if (stateDir === null) return [];
    const { key } = pipeline;
    let problem: string | null = null;
    let cells: Iterable<LoadCell> = [];
    try {
      cells = readArchive(historyPath(stateDir, key), clock.nowMs());
    } catch (error) {
      problem = VariscaleError.from(error).message;
    }
    this.#options.conditions.set(key, "HistorySaved", problem, clock.nowMs());
    return this.#noted(key, cells);
  }

  /** They are in the archive already. */
  *#noted(key: PipelineKey, cells: Iterable<LoadCell>): Generator<LoadCell> {
    let newest = Number.NEGATIVE_INFINITY;
    for (const cell of cells) {
      newest = cell.index;
      yield cell;
    }
    this.#archived.set(formatKey(key), newest);
  }

  /** The pipeline's own model; null where there is none that can be used, which shows as a condition. */
  loadModel(pipeline: Pipeline): StoredModel | null {
    const { stateDir, clock, conditions } = this.#options;
    if (stateDir === null) return null;
    const { stored, problem } = readModel(modelPath(stateDir, pipeline.key));
    conditions.set(pipeline.key, "ForecastModelStored", problem, clock.nowMs());
    return stored;
  }

  /** Saves the pipeline when it changed, every ten seconds from now on until it is dropped or `close()`. */
  keep(control: PipelineControl): void {
    this.#leaves.set(
      control,
      this.#rota.join(() => void this.saveAll([control])),
    );
  }

  /** Saves what changed for the last time, and forgets the pipeline; its files stay. */
  async drop(control: PipelineControl): Promise<void> {
    this.#leaves.get(control)?.();
    this.#leaves.delete(control);
    await this.saveAll([control]);
    const key = formatKey(control.pipeline.key);
    this.#savedRevisions.delete(key);
    this.#archived.delete(key);
  }

  /** Saves those that changed since they were saved last, one after the other. */
  saveAll(controls: readonly PipelineControl[]): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      for (const control of controls) {
        if (this.#savedRevisions.get(formatKey(control.pipeline.key)) === control.revision) continue;
        await this.#save(control);
      }
    });
    return this.#saving;
  }

  /**
   * Keeps what a pipeline can't go on from, which the next save would write over, unless an earlier one is kept: the first tells most.
   * The condition says so until this process ends.
   */
  async setAside({ pipeline: { key } }: PipelineControl, stored: StoredPipeline, problem: string): Promise<void> {
    const { stateDir, clock, conditions } = this.#options;
    let kept = "It was not kept, for nothing is stored";
    if (stateDir !== null) {
      const path = unusableStatePath(stateDir, key);
      try {
        if (existsSync(path)) kept = notKept(path);
        else {
          await writeState(path, stored, clock.nowMs());
          kept = `It was kept as ${path}`;
        }
      } catch (error) {
        kept = `It could not be kept: ${VariscaleError.from(error).message}`;
      }
    }
    const said = `ticks failed one after the other, and go on without the state that there was (${problem}). ${kept}. The pipeline has begun anew from what its switchers and the cluster say`;
    conditions.set(key, "StateUsable", said, clock.nowMs());
  }

  /** Saves what changed and stops. */
  async close(controls: readonly PipelineControl[]): Promise<void> {
    this.#rota.close();
    await this.saveAll(controls);
  }

  async #save(control: PipelineControl): Promise<void> {
    const { stateDir, clock, conditions, onSave } = this.#options;
    if (stateDir === null) return;
    const { key } = control.pipeline;
    const { revision } = control;
    this.#archive(control, stateDir);
    let problem: string | null = null;
    try {
      await writeState(pipelineStatePath(stateDir, key), control.snapshot(clock.nowMs()), clock.nowMs());
      this.#savedRevisions.set(formatKey(key), revision);
    } catch (error) {
      problem = VariscaleError.from(error).message;
    }
    conditions.set(key, "StateSaved", problem, clock.nowMs());
    onSave(key, problem === null);
  }

  /** Appends the cells that are over since the last time; those that could not be written are written later. */
  #archive(control: PipelineControl, stateDir: string): void {
    const { clock, conditions } = this.#options;
    const { key } = control.pipeline;
    const cells = control.cellsAfter(this.#archived.get(formatKey(key)) ?? Number.NEGATIVE_INFINITY);
    let problem: string | null = null;
    try {
      appendToArchive(historyPath(stateDir, key), cells);
      const newest = cells.at(-1);
      if (newest) this.#archived.set(formatKey(key), newest.index);
    } catch (error) {
      problem = VariscaleError.from(error).message;
    }
    conditions.set(key, "HistorySaved", problem, clock.nowMs());
  }
}

/** Unless an earlier one is kept. */
function keptAside(aside: string, keep: () => void): string {
  if (existsSync(aside)) return notKept(aside);
  try {
    keep();
    return `It was kept as ${aside}`;
  } catch (error) {
    return `It could not be kept: ${VariscaleError.from(error).message}`;
  }
}

/** No state can be there. */
function isBelowFile(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : null;
  return cause instanceof Error && "code" in cause && cause.code === "ENOTDIR";
}

function notKept(aside: string): string {
  return `It was not kept, for ${aside} holds an earlier one: report that, and remove it`;
}
