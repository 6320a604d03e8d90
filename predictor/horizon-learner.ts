import { type Calibration, calibrate, createCalibration, forgetMiddle } from "./conformal.ts";
import type { AskedExpert } from "./expert.ts";
import { levelOf } from "./features.ts";
import { addLosses, type LossSums, lossKept, mix, weighExperts } from "./hedge.ts";
import type { LoadHistory } from "./load-history.ts";
import { type Quantiles, quantilesAt } from "./quantiles.ts";
import type { Target } from "./target.ts";

/** Predictions per horizon: overlapping windows tell little more. */
const PREDICTIONS_PER_HORIZON = 10;
/** With fewer of its seconds known the maximum of a window would be too low. */
const LEAST_PRESENT_SHARE = 0.8;

/** About the last 200 outcomes count. */
const COVERAGE_WEIGHT = 0.005;

/** A prediction that waits for its horizon to pass, in the Anscombe domain. */
export interface PendingPrediction {
  readonly second: number;
  readonly experts: readonly Quantiles[];
  readonly issued: Quantiles;
}

/** What has been learnt about one horizon. */
export interface HorizonState {
  readonly horizonSeconds: number;
  /** Of each expert. */
  readonly lossSums: readonly LossSums[];
  readonly calibration: Calibration;
  /** How often the outcome of late stayed at or below each quantile. */
  readonly coverage: Quantiles;
  /** Oldest first. */
  readonly pending: readonly PendingPrediction[];
}

export function createHorizonState(
  { levels }: Target,
  horizonSeconds: number,
  experts: readonly string[],
): HorizonState {
  return {
    horizonSeconds,
    lossSums: experts.map(() => levels.map(() => 0)),
    calibration: createCalibration(levels),
    coverage: levels,
    pending: [],
  };
}

/**
 * The state for other experts than those that it was learnt with: who stays keeps his losses, who is new begins with the least loss.
 * Predictions that wait are dropped, and where the middle lies is learnt anew.
 */
export function changeExperts(
  { levels }: Target,
  state: HorizonState,
  before: readonly (string | null)[],
  now: readonly string[],
): HorizonState {
  const least = levels.map((_q, i) => Math.min(...state.lossSums.map(sums => sums[i] as number)));
  return {
    ...state,
    lossSums: now.map(name => state.lossSums[before.indexOf(name)] ?? least),
    calibration: forgetMiddle(state.calibration, levels),
    pending: [],
  };
}

/** The most predictions that can wait at one time. */
export const MOST_PENDING = PREDICTIONS_PER_HORIZON + 1;

/**
 * Learns about one horizon, outcome by outcome. What waits and what was lost is kept in numbers of its own: objects for it would outlive V8's
 * young generation, and with a thousand pipelines a quarter of the time went into collecting them.
 */
export class HorizonLearner {
  readonly horizonSeconds: number;
  readonly #target: Target;
  readonly #experts: number;
  /** One for each level of each expert. */
  readonly #lossSums: Float64Array;
  #calibration: Calibration;
  #coverage: Quantiles;
  /** A ring of the predictions that wait: these are the seconds in which they were made. */
  readonly #seconds = new Float64Array(MOST_PENDING);
  readonly #predictions: Float64Array;
  #oldest = 0;
  #waiting = 0;

  constructor(target: Target, { horizonSeconds, lossSums, calibration, coverage, pending }: HorizonState) {
    this.#target = target;
    this.horizonSeconds = horizonSeconds;
    this.#experts = lossSums.length;
    this.#lossSums = new Float64Array(lossSums.flat());
    this.#calibration = calibration;
    this.#coverage = coverage;
    this.#predictions = new Float64Array(MOST_PENDING * this.#width);
    for (const { second, experts, issued } of pending) {
      const at = this.#append(second);
      this.#predictions.set([...experts, issued].flat(), at);
    }
  }

  get calibration(): Calibration {
    return this.#calibration;
  }

  get coverage(): Quantiles {
    return this.#coverage;
  }

  /** Each expert's weight in the quantile `i`; they add up to 1. */
  weights(i: number): number[] {
    return weighExperts(this.#lossSums, this.#target.levels.length, i, this.horizonSeconds);
  }

  /** Scores the predictions whose horizon ended with the newest second, and makes the next one when it is due. */
  learn(history: LoadHistory, experts: readonly AskedExpert[]): void {
    for (let k = 0; k < this.#waiting; k++) this.#hear(k, experts);
    while (this.#waiting > 0 && this.#secondOf(0) + this.horizonSeconds <= history.second) {
      this.#score(history);
      this.#oldest = (this.#oldest + 1) % MOST_PENDING;
      this.#waiting -= 1;
    }
    if (this.#waiting > 0 && history.second - this.#secondOf(this.#waiting - 1) < this.#strideSeconds) return;
    const predictions = experts.map(expert => expert.predict(history, this.horizonSeconds));
    const issued = this.combine(predictions, history);
    const silent = this.#target.levels.map(() => Number.NaN);
    const at = this.#append(history.second);
    this.#predictions.set([...predictions.map(one => one ?? silent), issued].flat(), at);
  }

  /** The predictions of the experts from the newest second; null: there are none. What is older costs a tenth of the gain at 600 s. */
  newestPredictions(history: LoadHistory, experts: readonly AskedExpert[]): readonly (Quantiles | null)[] | null {
    const newest = this.#waiting - 1;
    if (newest < 0 || this.#secondOf(newest) !== history.second) return null;
    this.#hear(newest, experts);
    return this.#expertsOf(newest).map(prediction => (prediction.some(Number.isNaN) ? null : prediction));
  }

  /**
   * The calibrated mixture of the experts' predictions, in the Anscombe domain; its quantiles may still cross. Where none says anything, the load
   * stays as it is.
   */
  combine(
    predictions: readonly (Quantiles | null)[],
    history: LoadHistory,
    { offsets }: Calibration = this.#calibration,
  ): Quantiles {
    const mixed = mix(predictions, this.#lossSums, this.#levels, this.horizonSeconds);
    const known = mixed ?? this.#target.levels.map(() => levelOf(history));
    return known.map((quantile, i) => quantile + (offsets[i] as number));
  }

  state(): HorizonState {
    const { horizonSeconds } = this;
    return {
      horizonSeconds,
      lossSums: Array.from({ length: this.#experts }, (_, e) =>
        quantilesAt(this.#lossSums, e * this.#levels, this.#levels),
      ),
      calibration: this.#calibration,
      coverage: this.#coverage,
      pending: Array.from({ length: this.#waiting }, (_, k) => ({
        second: this.#secondOf(k),
        // One that has said nothing yet goes on as if it had said what was issued.
        experts: this.#expertsOf(k).map(one => (one.some(Number.isNaN) ? this.#issuedOf(k) : one)),
        issued: this.#issuedOf(k),
      })),
    };
  }

  get #strideSeconds(): number {
    return Math.max(1, Math.floor(this.horizonSeconds / PREDICTIONS_PER_HORIZON));
  }

  /** How many numbers a prediction has. */
  get #width(): number {
    return (this.#experts + 1) * this.#levels;
  }

  get #levels(): number {
    return this.#target.levels.length;
  }

  /** Takes what experts have come to say of the k-th prediction that waits. */
  #hear(k: number, experts: readonly AskedExpert[]): void {
    for (const [e, expert] of experts.entries()) {
      const place = this.#placeOf(k) + e * this.#levels;
      if (!expert.recall || !Number.isNaN(this.#predictions[place])) continue;
      const late = expert.recall(this.#secondOf(k), this.horizonSeconds);
      if (late) this.#predictions.set(late, place);
    }
  }

  /** One that said nothing until the end of the horizon is judged as if it had said what was issued: it gains and loses nothing by it. */
  #judgeSilent(k: number): void {
    const place = this.#placeOf(k);
    const issued = this.#issuedOf(k);
    for (let at = place; at < place + this.#experts * this.#levels; at += this.#levels)
      if (Number.isNaN(this.#predictions[at])) this.#predictions.set(issued, at);
  }

  #score(history: LoadHistory): void {
    const { horizonSeconds } = this;
    const strideSeconds = this.#strideSeconds;
    const age = history.second - this.#secondOf(0) - horizonSeconds;
    const target = this.#target;
    const seconds = target.secondsOf(horizonSeconds);
    if (history.window(age, seconds).present < LEAST_PRESENT_SHARE * seconds) return;
    const actual = target.read(history, age, seconds);
    const kept = lossKept(horizonSeconds, strideSeconds, this.#calibration.outcomes * strideSeconds);
    const unit = target.lossUnit(this.#calibration.missExcess[target.levels.indexOf(0.5)] as number);
    this.#judgeSilent(0);
    const outcome = { predictions: this.#predictions, from: this.#placeOf(0), actual, unit };
    addLosses(this.#lossSums, target.levels, outcome, kept);
    const issued = this.#issuedOf(0);
    const coverage = this.#coverage;
    this.#coverage = coverage.map(
      (share, i) => share + COVERAGE_WEIGHT * ((actual <= (issued[i] as number) ? 1 : 0) - share),
    );
    this.#calibration = calibrate(this.#calibration, target.levels, issued, actual, strideSeconds);
  }

  /** Makes room for the newest prediction, of the oldest where there is none, and gives its place. */
  #append(second: number): number {
    if (this.#waiting === MOST_PENDING) this.#oldest = (this.#oldest + 1) % MOST_PENDING;
    else this.#waiting += 1;
    this.#seconds[this.#slotOf(this.#waiting - 1)] = second;
    return this.#placeOf(this.#waiting - 1);
  }

  #slotOf(k: number): number {
    return (this.#oldest + k) % MOST_PENDING;
  }

  #placeOf(k: number): number {
    return this.#slotOf(k) * this.#width;
  }

  /** Of the k-th prediction that waits, the oldest first. */
  #secondOf(k: number): number {
    return this.#seconds[this.#slotOf(k)] as number;
  }

  #expertsOf(k: number): readonly Quantiles[] {
    const place = this.#placeOf(k);
    return Array.from({ length: this.#experts }, (_, e) =>
      quantilesAt(this.#predictions, place + e * this.#levels, this.#levels),
    );
  }

  #issuedOf(k: number): Quantiles {
    return quantilesAt(this.#predictions, this.#placeOf(k) + this.#experts * this.#levels, this.#levels);
  }
}
