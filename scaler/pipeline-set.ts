import { isDeepStrictEqual } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import type { PipelineCatalogue } from "./pipeline-catalogue.ts";
import type { PipelineControl } from "./pipeline-control.ts";

/** A part of the scaler that keeps something of every pipeline. */
export interface PipelineSetPart {
  /** Throws invalid_argument where the part can't work with the pipeline; nothing has changed then. */
  check?(pipeline: Pipeline): void;
  add?(control: PipelineControl): void;
  replace?(control: PipelineControl, before: Pipeline): void;
  /** Called when KEDA and switchers find the pipeline no more. */
  remove?(control: PipelineControl): void | Promise<void>;
}

export interface PipelineSetOptions {
  readonly catalogue: PipelineCatalogue;
  readonly nowMs: () => number;
  /** Reads its state. */
  readonly open: (pipeline: Pipeline) => PipelineControl;
  /** In the order in which they are told of a new pipeline; of one that goes in the other. */
  readonly parts: readonly PipelineSetPart[];
  /** Stores the state of one that is new, before it runs. */
  readonly save: (controls: readonly PipelineControl[]) => Promise<void>;
  /** From now on it has ticks. */
  readonly run: (control: PipelineControl) => void;
}

export type PipelineChange = "added" | "replaced" | "unchanged";

/**
 * The pipelines that the scaler controls now. They come and go while it runs; changes are made one after the other. One that is
 * replaced keeps what was learnt, planned and set under its name; of one that is removed only its files stay.
 */
export class PipelineSet {
  readonly #options: PipelineSetOptions;
  readonly #controls = new Map<string, PipelineControl>();
  readonly #readers = new Set<(key: PipelineKey) => void>();
  #isRunning = false;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: PipelineSetOptions) {
    this.#options = options;
  }

  all(): readonly PipelineControl[] {
    return [...this.#controls.values()];
  }

  pipelines(): readonly Pipeline[] {
    return this.all().map(({ pipeline }) => pipeline);
  }

  get size(): number {
    return this.#controls.size;
  }

  find(key: PipelineKey): PipelineControl | undefined {
    return this.#controls.get(formatKey(key));
  }

  /** Throws not_found. */
  get(key: PipelineKey): PipelineControl {
    const control = this.find(key);
    if (!control) throw new VariscaleError("not_found", `there is no pipeline ${formatKey(key)}`);
    return control;
  }

  /** Calls `changed` after every replacement and removal: streams about that pipeline may have to end. */
  onChange(changed: (key: PipelineKey) => void): void {
    this.#readers.add(changed);
  }

  /** Takes pipelines in before anything runs. Throws invalid_argument, for two of one name too. */
  open(pipelines: readonly Pipeline[]): void {
    const { catalogue } = this.#options;
    for (const pipeline of pipelines) {
      this.#check(pipeline);
      catalogue.add(pipeline);
      this.#add(pipeline);
    }
  }

  /** Stored before anything is assigned, so that a crash can't lead to a second run with the same epoch. */
  async start(): Promise<void> {
    await this.#options.save(this.all());
    this.#isRunning = true;
    for (const control of this.all()) this.#options.run(control);
  }

  /**
   * Adds a pipeline, or replaces the one of its name from its next tick on. KEDA finds a new one once it has a board.
   *
   * Throws invalid_argument where the scaler can't work with it; then nothing has changed.
   */
  put(pipeline: Pipeline): Promise<PipelineChange> {
    return this.#queue(async () => {
      this.#check(pipeline);
      const control = this.find(pipeline.key);
      if (control) return this.#replace(control, pipeline);
      const added = this.#add(pipeline);
      await this.#options.save([added]);
      if (this.#isRunning) this.#options.run(added);
      this.#options.catalogue.add(pipeline);
      return "added";
    });
  }

  /** False: there was none. */
  remove(key: PipelineKey): Promise<boolean> {
    return this.#queue(async () => {
      const control = this.find(key);
      if (!control) return false;
      this.#controls.delete(formatKey(key));
      this.#options.catalogue.remove(key);
      this.#tell(key);
      for (const part of this.#options.parts.toReversed()) await part.remove?.(control);
      return true;
    });
  }

  /** No change is made any more; those under way are over. */
  async close(): Promise<void> {
    this.#isRunning = false;
    await this.#changing;
  }

  #replace(control: PipelineControl, pipeline: Pipeline): PipelineChange {
    const { catalogue, parts } = this.#options;
    const before = control.pipeline;
    if (isDeepStrictEqual(before, pipeline)) return "unchanged";
    control.replace(pipeline, this.#options.nowMs());
    for (const part of parts) part.replace?.(control, before);
    catalogue.replace(pipeline);
    this.#tell(pipeline.key);
    return "replaced";
  }

  #check(pipeline: Pipeline): void {
    for (const part of this.#options.parts) part.check?.(pipeline);
  }

  #add(pipeline: Pipeline): PipelineControl {
    const control = this.#options.open(pipeline);
    this.#controls.set(formatKey(pipeline.key), control);
    for (const part of this.#options.parts) part.add?.(control);
    return control;
  }

  #tell(key: PipelineKey): void {
    for (const changed of this.#readers) changed(key);
  }

  #queue<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changing.then(change);
    this.#changing = result.catch(() => undefined);
    return result;
  }
}
