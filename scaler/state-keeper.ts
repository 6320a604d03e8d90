import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import { readState, writeState } from "../runtime/state-file.ts";
import type { Clock } from "./clock.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { ProcessConditions } from "./process-conditions.ts";
import { parseStoredPipeline, type StoredPipeline } from "./stored-pipeline.ts";

const SAVE_EVERY_MS = 10_000;

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
  #saving: Promise<void> = Promise.resolve();
  #stop: () => void = () => undefined;

  constructor(options: StateKeeperOptions) {
    this.#options = options;
  }

  /** Null: there is none, or none that can be used; the latter shows as a condition. */
  load(pipeline: Pipeline): StoredPipeline | null {
    const { stateDir, conditions, clock } = this.#options;
    if (stateDir === null) return null;
    const path = pathOf(stateDir, pipeline.key);
    const problem = (reason: string) =>
      conditions.set(
        pipeline.key,
        "StateSaved",
        `${path} can't be used: ${reason}; the pipeline starts without it`,
        clock.nowMs(),
      );
    try {
      const read = readState(path);
      if (read.kind === "absent") return null;
      const { stored, problem: reason } =
        read.kind === "ok" ? parseStoredPipeline(read.payload) : { stored: null, problem: read.reason };
      if (reason !== null) problem(reason);
      return stored;
    } catch (error) {
      problem(VariscaleError.from(error).message);
      return null;
    }
  }

  /** Saves every pipeline that changed, from now on and until `close()`. */
  start(controls: readonly PipelineControl[]): void {
    this.#stop = this.#options.clock.every(SAVE_EVERY_MS, () => void this.saveAll(controls));
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

  /** Saves what changed and stops. */
  async close(controls: readonly PipelineControl[]): Promise<void> {
    this.#stop();
    await this.saveAll(controls);
  }

  async #save(control: PipelineControl): Promise<void> {
    const { stateDir, clock, conditions, onSave } = this.#options;
    if (stateDir === null) return;
    const { key } = control.pipeline;
    const { revision } = control;
    let problem: string | null = null;
    try {
      await writeState(pathOf(stateDir, key), control.snapshot(clock.nowMs()), clock.nowMs());
      this.#savedRevisions.set(formatKey(key), revision);
    } catch (error) {
      problem = VariscaleError.from(error).message;
    }
    conditions.set(key, "StateSaved", problem, clock.nowMs());
    onSave(key, problem === null);
  }
}

/** Names hold no `_`, so no two pipelines have one file. */
function pathOf(stateDir: string, key: PipelineKey): string {
  return join(stateDir, "pipelines", `${key.namespace}_${key.name}.json`);
}
