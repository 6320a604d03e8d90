import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import { TRAINING_OUTCOMES, type TrainingOutcome } from "./forecasting/forecast-trainer.ts";
import type { ScalerMetrics } from "./metrics.ts";

/**
 * The counters that are labelled with a pipeline. Once it is forgotten nothing counts for it any more: what was under way when it was
 * removed would bring its labels back.
 */
export class PipelineMetrics {
  readonly all: ScalerMetrics;
  readonly #known = new Set<string>();

  constructor(all: ScalerMetrics) {
    this.all = all;
  }

  add(key: PipelineKey): void {
    this.#known.add(formatKey(key));
  }

  /** Removes every series of a pipeline that is gone. */
  forget(key: PipelineKey): void {
    this.#known.delete(formatKey(key));
    const { tickFailures, decisions, loadPolls, loadRefused, stateSaves, trainings } = this.all;
    const labels = labelsOf(key);
    for (const counter of [tickFailures, decisions, loadRefused]) counter.remove(labels);
    for (const outcome of ["ok", "failed"]) {
      loadPolls.remove({ ...labels, outcome });
      stateSaves.remove({ ...labels, outcome });
    }
    for (const outcome of TRAINING_OUTCOMES) trainings.remove({ ...labels, outcome });
  }

  countTick(key: PipelineKey, seconds: number, ok: boolean): void {
    this.all.tickSeconds.observe(seconds);
    if (!ok && this.#isKnown(key)) this.all.tickFailures.inc(labelsOf(key));
  }

  countDecision(key: PipelineKey): void {
    if (this.#isKnown(key)) this.all.decisions.inc(labelsOf(key));
  }

  countLoadPoll(key: PipelineKey, ok: boolean): void {
    if (this.#isKnown(key)) this.all.loadPolls.inc(outcomeLabelsOf(key, outcomeOf(ok)));
  }

  countLoadRefused(key: PipelineKey, values: number): void {
    if (this.#isKnown(key)) this.all.loadRefused.inc(labelsOf(key), values);
  }

  countSave(key: PipelineKey, ok: boolean): void {
    if (this.#isKnown(key)) this.all.stateSaves.inc(outcomeLabelsOf(key, outcomeOf(ok)));
  }

  countTraining(key: PipelineKey, outcome: TrainingOutcome, busyMs: number): void {
    if (this.#isKnown(key)) this.all.trainings.inc(outcomeLabelsOf(key, outcome));
    if (busyMs > 0) this.all.trainingSeconds.observe(busyMs / 1000);
  }

  #isKnown(key: PipelineKey): boolean {
    return this.#known.has(formatKey(key));
  }
}

function labelsOf(key: PipelineKey): { readonly namespace: string; readonly pipeline: string } {
  return { namespace: key.namespace, pipeline: key.name };
}

/** No spread: see CONTRIBUTING.md. */
function outcomeLabelsOf<Outcome extends string>({ namespace, name: pipeline }: PipelineKey, outcome: Outcome) {
  return { namespace, pipeline, outcome };
}

function outcomeOf(ok: boolean): "ok" | "failed" {
  return ok ? "ok" : "failed";
}
