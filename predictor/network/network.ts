import { addRecent, addSeasonal, FEATURES, levelOf } from "../features.ts";
import type { LoadHistory } from "../load-history.ts";
import { type Quantiles, sortRising } from "../quantiles.ts";
import { PEAK, type Target } from "../target.ts";
import type { ForecastModel, HorizonModel } from "./network-model.ts";
import { OUTPUT_LEVELS } from "./network-weights.ts";
import type { OpenModel } from "./open-model.ts";

/** The quantiles of all targets by one network, in the Anscombe domain, rising. */
export type Predictions = Readonly<Record<Target["name"], Quantiles>>;

/** The networks of a model, as one forecaster asks them. */
export interface Network {
  /**
   * The answer is null where too little is known of this load, or where it comes later. Where the model has no network for a horizon, that of
   * the next larger one serves, or the largest.
   */
  predict(history: LoadHistory, horizonSeconds: number): Predictions | null;
  /** The answer for a second that was asked before; null: it has not come. */
  recall?(second: number, horizonSeconds: number): Predictions | null;
}

/** Networks are trained on loads of which the last two minutes are known; of one that is known for less than half of them they say nothing. */
const KNOWN_WITHIN_SECONDS = 120;
const LEAST_KNOWN_SECONDS = 60;

/** A network that computes at once what it is asked: for simulations and commands. */
export class InstantNetwork implements Network {
  readonly #open: OpenModel;
  readonly #inputs: InputReader;
  /** Both targets have a prediction in common. */
  readonly #predictions: (Predictions | null)[] = [];
  #second = Number.NaN;
  #history: LoadHistory | null = null;

  constructor(open: OpenModel) {
    this.#open = open;
    this.#inputs = new InputReader(open.model);
  }

  predict(history: LoadHistory, horizonSeconds: number): Predictions | null {
    if (!isKnown(history)) return null;
    const place = findHorizon(this.#open.model, horizonSeconds);
    if (this.#history !== history || this.#second !== history.second) this.#predictions.length = 0;
    [this.#history, this.#second] = [history, history.second];
    const kept = this.#predictions[place];
    if (kept !== undefined) return kept;
    const { level, row } = this.#inputs.read(history, place);
    const made = readPredictions(this.#open.predict(place, row), 0, level);
    this.#predictions[place] = made;
    return made;
  }
}

/** The inputs for what a network is to predict from one second of a load. */
export interface NetworkQuestion {
  readonly second: number;
  readonly level: number;
  /** The place of the horizon in the model. */
  readonly horizon: number;
  readonly row: Float32Array;
}

interface Answer {
  readonly second: number;
  readonly predictions: Predictions | null;
}

/** A forecast is made with the answer of the second before; an older one is no prediction any more. */
const OLDEST_ANSWER_SECONDS = 2;
/** More seconds of a horizon than this are never waited for. */
const MOST_KEPT = 16;

/** A network that is computed elsewhere, together with those of other loads: what it is asked it says later. */
export class DeferredNetwork implements Network {
  readonly model: ForecastModel;
  readonly #inputs: InputReader;
  /** For each horizon what is to be computed, and what was, the newest last. */
  readonly #questions: NetworkQuestion[][];
  readonly #answers: Answer[][];
  /** For each horizon the newest second that was asked for. */
  readonly #askedSeconds: number[];

  constructor(model: ForecastModel) {
    this.model = model;
    this.#inputs = new InputReader(model);
    this.#questions = model.horizons.map(() => []);
    this.#answers = model.horizons.map(() => []);
    this.#askedSeconds = model.horizons.map(() => Number.NEGATIVE_INFINITY);
  }

  predict(history: LoadHistory, horizonSeconds: number): Predictions | null {
    if (!isKnown(history)) return null;
    const horizon = findHorizon(this.model, horizonSeconds);
    const { second } = history;
    if (second > (this.#askedSeconds[horizon] as number)) {
      this.#askedSeconds[horizon] = second;
      keepNewest(this.#questions[horizon], { second, horizon, ...this.#inputs.read(history, horizon) });
    }
    const newest = this.#answers[horizon]?.at(-1);
    return newest && second - newest.second <= OLDEST_ANSWER_SECONDS ? newest.predictions : null;
  }

  recall(second: number, horizonSeconds: number): Predictions | null {
    const answers = this.#answers[findHorizon(this.model, horizonSeconds)];
    return answers?.find(answer => answer.second === second)?.predictions ?? null;
  }

  /** The questions that are new; each is given once. */
  takeQuestions(): readonly NetworkQuestion[] {
    return this.#questions.flatMap(questions => questions.splice(0));
  }

  /** @param outputs those of rows among which that of the question is at the place `row`. */
  answer({ second, level, horizon }: NetworkQuestion, outputs: Float32Array, row: number): void {
    keepNewest(this.#answers[horizon], { second, predictions: readPredictions(outputs, row, level) });
  }
}

/** Reads the inputs of a model's networks; the recent past is the same for all horizons. */
class InputReader {
  readonly #model: ForecastModel;
  readonly #recent: Float32Array;
  #seen: { readonly history: LoadHistory; readonly second: number; readonly level: number } | null = null;

  constructor(model: ForecastModel) {
    this.#model = model;
    this.#recent = new Float32Array(FEATURES[model.features]);
  }

  /** @param horizon its place in the model. */
  read(history: LoadHistory, horizon: number): { readonly level: number; readonly row: Float32Array } {
    if (this.#seen?.history !== history || this.#seen.second !== history.second) {
      this.#seen = { history, second: history.second, level: levelOf(history) };
      addRecent(history, this.#seen.level, this.#recent);
    }
    const { level } = this.#seen;
    const row = this.#recent.slice();
    const { features, horizons } = this.#model;
    if (features === "seasonal") addSeasonal(history, (horizons[horizon] as HorizonModel).horizonSeconds, level, row);
    return { level, row };
  }
}

function keepNewest<T>(kept: T[] | undefined, newest: T): void {
  if (kept && kept.push(newest) > MOST_KEPT) kept.shift();
}

function isKnown(history: LoadHistory): boolean {
  return history.window(0, KNOWN_WITHIN_SECONDS).present >= LEAST_KNOWN_SECONDS;
}

function findHorizon({ horizons }: ForecastModel, horizonSeconds: number): number {
  const found = horizons.findIndex(one => one.horizonSeconds >= horizonSeconds);
  return found === -1 ? horizons.length - 1 : found;
}

/** The predictions of the row at this place; null where one is no finite number. */
export function readPredictions(outputs: Float32Array, row: number, level: number): Predictions | null {
  const from = row * OUTPUT_LEVELS.length;
  const all = Array.from(outputs.subarray(from, from + OUTPUT_LEVELS.length), value => level + value);
  if (!all.every(Number.isFinite)) return null;
  return { peak: sortRising(all.slice(0, PEAK.levels.length)), rate: sortRising(all.slice(PEAK.levels.length)) };
}
