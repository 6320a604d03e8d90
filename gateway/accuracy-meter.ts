import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import { type CorrectnessModel, chanceOfRight } from "../domain/correctness-model.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { setNewest } from "../domain/serving/set-newest.ts";
import type { ServedRows } from "./answer.ts";
import { findShares, type RowsByVariant } from "./rows-by-variant.ts";
import { signalsOf } from "./signals.ts";
import type { PipelineCode } from "./stage.ts";

/** Answers that can still be labelled; older ones are forgotten. */
const MOST_ANSWERS = 10_000;
/** Characters of the combinations that are counted, with their numbers: more would not fit into a report of the load. */
const MOST_CHARACTERS = 128 * 1024;
const NUMBERS_CHARACTERS = 120;
/** Combinations of one answer that are counted, those with the largest shares. */
const MOST_COMBINATIONS = 16;

interface Tally {
  readonly variants: Readonly<Record<string, string>>;
  readonly model: CorrectnessModel;
  requests: number;
  right: number;
  labels: number;
  correction: number;
}

/** An answer's part in the tally of one combination. */
interface Credit {
  readonly tally: Tally;
  readonly share: number;
  readonly chance: number;
}

/** Estimates how accurate each combination of variants is on the answers that go out, with the models of `variscale drift`. */
export class AccuracyMeter {
  readonly #stages: readonly string[];
  readonly #code: PipelineCode;
  readonly #tallies: ReadonlyMap<string, Tally>;
  /** The variants that served each stage last stand for those of a stage without rows. */
  readonly #last: Record<string, RowsByVariant> = {};
  /** Of the combinations that have served. */
  #characters = 0;
  /** By request id, oldest first. */
  readonly #answers = new Map<string, readonly Credit[]>();

  constructor({ stages, accuracy }: Pipeline, code: PipelineCode) {
    this.#stages = stages.map(stage => stage.name);
    this.#code = code;
    this.#tallies = new Map(
      accuracy.estimators.map(({ variants, model }) => {
        const key = JSON.stringify(this.#stages.map(stage => variants[stage]));
        return [key, { variants, model, requests: 0, right: 0, labels: 0, correction: 0 }] as const;
      }),
    );
  }

  /**
   * An answer is about to go out; stages without rows are missing in `served`. Where several variants served a stage nobody can say by which
   * of them the answer is right, so that it counts for each combination by its share of the rows.
   */
  observe(id: string, served: ServedRows, context: unknown): void {
    if (this.#tallies.size === 0) return;
    Object.assign(this.#last, served);
    const credits = this.#findCombinations().flatMap(({ names, share }) => {
      const tally = this.#tallies.get(JSON.stringify(names));
      return tally && this.#hasRoom(tally) ? [{ tally, share }] : [];
    });
    if (credits.length === 0) return;
    const signals = signalsOf(this.#code, context);
    const credited = credits.map(({ tally, share }) => {
      const chance = chanceOfRight(tally.model, signals);
      tally.requests += share;
      tally.right += share * chance;
      return { tally, share, chance };
    });
    setNewest(this.#answers, id, credited, MOST_ANSWERS);
  }

  /** Somebody says whether an answer was right. False: no such answer is remembered, or it was labelled before. */
  label(id: string, right: boolean): boolean {
    const credited = this.#answers.get(id);
    if (!credited) return false;
    this.#answers.delete(id);
    // Each combination would seem to err by what the others of the answer differ from it.
    const shares = credited.reduce((sum, { share }) => sum + share, 0);
    const mixChance = credited.reduce((sum, { share, chance }) => sum + (share * chance) / shares, 0);
    for (const { tally, share } of credited) {
      tally.labels += share;
      tally.correction += share * ((right ? 1 : 0) - mixChance);
    }
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

  /** The combinations that served the last answer, with the product of their variants' shares of the rows: those of the largest shares. */
  #findCombinations() {
    let found = [{ names: [] as readonly string[], share: 1 }];
    for (const stage of this.#stages) {
      const shares = findShares(this.#last[stage] ?? new Map());
      const add = (to: (typeof found)[number]) =>
        shares.map(({ variant, share }) => ({ names: [...to.names, variant], share: to.share * share }));
      found = found
        .flatMap(add)
        .toSorted((a, b) => b.share - a.share)
        .slice(0, MOST_COMBINATIONS);
    }
    return found;
  }
}
