import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import { type CorrectnessModel, chanceOfRight } from "../domain/correctness-model.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { signalsOf } from "./signals.ts";
import type { PipelineCode } from "./stage.ts";

/** Answers that can still be labelled; older ones are forgotten. */
const MOST_ANSWERS = 10_000;
/** Characters of the combinations that are counted, with their numbers: more would not fit into a report of the load. */
const MOST_CHARACTERS = 128 * 1024;
const NUMBERS_CHARACTERS = 120;

interface Tally {
  readonly variants: Readonly<Record<string, string>>;
  readonly model: CorrectnessModel;
  requests: number;
  right: number;
  labels: number;
  correction: number;
}

/** Estimates how accurate each combination of variants is on the answers that go out, with the models of `variscale drift`. */
export class AccuracyMeter {
  readonly #stages: readonly string[];
  readonly #code: PipelineCode;
  readonly #tallies: ReadonlyMap<string, Tally>;
  /** By stage, the variant that served last: what a stage without rows would have been served by. */
  readonly #last: Record<string, string> = {};
  /** Of the combinations that have served. */
  #characters = 0;
  /** By request id, oldest first. */
  readonly #answers = new Map<string, { readonly tally: Tally; readonly chance: number }>();

  constructor({ stages, accuracy }: Pipeline, code: PipelineCode) {
    this.#stages = stages.map(stage => stage.name);
    this.#code = code;
    this.#tallies = new Map(
      accuracy.estimators.flatMap(({ variants, model }) => {
        const key = this.#keyOf(variants);
        const none = { requests: 0, right: 0, labels: 0, correction: 0 };
        return key === null ? [] : [[key, { variants, model, ...none }] as const];
      }),
    );
  }

  /** An answer is about to go out. `variants` served it, by stage; those of stages without rows are missing. */
  observe(id: string, variants: Readonly<Record<string, string>>, context: unknown): void {
    if (this.#tallies.size === 0) return;
    Object.assign(this.#last, variants);
    const tally = this.#tallies.get(this.#keyOf({ ...this.#last, ...variants }) ?? "");
    // Of two variants in one stage nobody can say which of them was right.
    if (!tally || !this.#hasRoom(tally)) return;
    const chance = chanceOfRight(tally.model, signalsOf(this.#code, context));
    tally.requests += 1;
    tally.right += chance;
    this.#answers.set(id, { tally, chance });
    const [oldest] = this.#answers.size > MOST_ANSWERS ? this.#answers.keys() : [];
    if (oldest !== undefined) this.#answers.delete(oldest);
  }

  /** Somebody says whether an answer was right. False: no such answer is remembered, or it was labelled before. */
  label(id: string, right: boolean): boolean {
    const answer = this.#answers.get(id);
    if (!answer) return false;
    this.#answers.delete(id);
    answer.tally.labels += 1;
    answer.tally.correction += (right ? 1 : 0) - answer.chance;
    return true;
  }

  /** Of every combination that has served. */
  report(): readonly AccuracyEstimate[] {
    return [...this.#tallies.values()]
      .filter(({ requests }) => requests > 0)
      .map(({ variants, requests, right, labels, correction }) => ({ variants, requests, right, labels, correction }));
  }

  #hasRoom({ requests, variants }: Tally): boolean {
    if (requests > 0) return true;
    const characters = JSON.stringify(variants).length + NUMBERS_CHARACTERS;
    if (this.#characters + characters > MOST_CHARACTERS) return false;
    this.#characters += characters;
    return true;
  }

  #keyOf(variants: Readonly<Record<string, string>>): string | null {
    const names = this.#stages.map(stage => variants[stage]);
    return names.includes(undefined) ? null : JSON.stringify(names);
  }
}
