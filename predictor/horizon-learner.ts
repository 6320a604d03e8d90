import { anscombe } from "./anscombe.ts";
import { type Calibration, calibrate, forgetMiddle, UNCALIBRATED } from "./conformal.ts";
import type { Expert } from "./expert.ts";
import { addLosses, expertWeights, type LossSums, lossKept, mix, NO_LOSSES } from "./hedge.ts";
import type { LoadHistory } from "./load-history.ts";
import { copyQuantiles, type Quantiles, quantiles, quantilesAt, WIDTH } from "./quantiles.ts";

/** Predictions per horizon: overlapping windows tell little more. */
const PREDICTIONS_PER_HORIZON = 10;
/** With fewer of its seconds known the maximum of a window would be too low. */
const LEAST_PRESENT_SHARE = 0.8;

/** About the last 200 outcomes count. */
const COVERAGE_WEIGHT = 0.005;
const UNSEEN: Quantiles = quantiles(q => q);

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

export function newHorizonState(horizonSeconds: number, experts: readonly string[]): HorizonState {
  return {
    horizonSeconds,
    lossSums: experts.map(() => NO_LOSSES),
    calibration: UNCALIBRATED,
    coverage: UNSEEN,
    pending: [],
  };
}

/**
 * The state for other experts than those that it was learnt with: who stays keeps his losses, who is new begins with the least loss.
 * Predictions that wait are dropped, and where the middle lies is learnt anew.
 */
export function withExperts(
  state: HorizonState,
  before: readonly (string | null)[],
  now: readonly string[],
): HorizonState {
  const least = quantiles((_q, i) => Math.min(...state.lossSums.map(sums => sums[i])));
  return {
    ...state,
    lossSums: now.map(name => state.lossSums[before.indexOf(name)] ?? least),
    calibration: forgetMiddle(state.calibration),
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
  readonly #experts: number;
  /** Four of each expert. */
  readonly #lossSums: Float64Array;
  #calibration: Calibration;
  #coverage: Quantiles;
  /** Of predictions that wait, in a ring: when, and four of each expert, then four that were issued. */
  readonly #seconds = new Float64Array(MOST_PENDING);
  readonly #predictions: Float64Array;
  #oldest = 0;
  #waiting = 0;

  constructor({ horizonSeconds, lossSums, calibration, coverage, pending }: HorizonState) {
    this.horizonSeconds = horizonSeconds;
    this.#experts = lossSums.length;
    this.#lossSums = new Float64Array(lossSums.flat());
    this.#calibration = calibration;
    this.#coverage = coverage;
    this.#predictions = new Float64Array(MOST_PENDING * this.#width);
    for (const { second, experts, issued } of pending) {
      const at = this.#append(second);
      for (const [e, prediction] of [...experts, issued].entries())
        copyQuantiles(prediction, this.#predictions, at + e * WIDTH);
    }
  }

  get calibration(): Calibration {
    return this.#calibration;
  }

  get coverage(): Quantiles {
    return this.#coverage;
  }

  /** Each expert's weight in the quantile `i`; they add up to 1. */
  weights(i: 0 | 1 | 2 | 3): number[] {
    return expertWeights(this.#lossSums, i, this.horizonSeconds);
  }

  /** Scores the predictions whose horizon ended with the newest second, and makes the next one when it is due. */
  learn(history: LoadHistory, experts: readonly Expert[]): void {
    while (this.#waiting > 0 && this.#secondOf(0) + this.horizonSeconds <= history.second) {
      this.#score(history);
      this.#oldest = (this.#oldest + 1) % MOST_PENDING;
      this.#waiting -= 1;
    }
    if (this.#waiting > 0 && history.second - this.#secondOf(this.#waiting - 1) < this.#strideSeconds) return;
    const predictions = experts.map(expert => expert.predict(history, this.horizonSeconds));
    const issued = this.combine(predictions);
    const at = this.#append(history.second);
    for (const [e, prediction] of predictions.entries()) copyQuantiles(prediction, this.#predictions, at + e * WIDTH);
    copyQuantiles(issued, this.#predictions, at + this.#experts * WIDTH);
  }

  /** What the experts predicted from the newest second; null: nothing yet. What is older costs a tenth of the gain at 600 s. */
  newestPredictions(history: LoadHistory): readonly Quantiles[] | null {
    const newest = this.#waiting - 1;
    return newest >= 0 && this.#secondOf(newest) === history.second ? this.#expertsOf(newest) : null;
  }

  /** The calibrated mixture of the experts' predictions, in the Anscombe domain; its quantiles may still cross. */
  combine(predictions: readonly Quantiles[], { offsets }: Calibration = this.#calibration): Quantiles {
    const mixed = mix(predictions, this.#lossSums, this.horizonSeconds);
    return quantiles((_q, i) => mixed[i] + offsets[i]);
  }

  state(): HorizonState {
    const { horizonSeconds } = this;
    return {
      horizonSeconds,
      lossSums: Array.from({ length: this.#experts }, (_, e) => quantilesAt(this.#lossSums, e * WIDTH)),
      calibration: this.#calibration,
      coverage: this.#coverage,
      pending: Array.from({ length: this.#waiting }, (_, k) => ({
        second: this.#secondOf(k),
        experts: this.#expertsOf(k),
        issued: this.#issuedOf(k),
      })),
    };
  }

  get #strideSeconds(): number {
    return Math.max(1, Math.floor(this.horizonSeconds / PREDICTIONS_PER_HORIZON));
  }

  /** How many numbers a prediction has. */
  get #width(): number {
    return (this.#experts + 1) * WIDTH;
  }

  #score(history: LoadHistory): void {
    const { horizonSeconds } = this;
    const strideSeconds = this.#strideSeconds;
    const age = history.second - this.#secondOf(0) - horizonSeconds;
    const outcome = history.window(age, horizonSeconds);
    if (outcome.present < LEAST_PRESENT_SHARE * horizonSeconds) return;
    const actual = anscombe(outcome.highestRps);
    const kept = lossKept(horizonSeconds, strideSeconds, this.#calibration.outcomes * strideSeconds);
    addLosses(this.#lossSums, this.#predictions, this.#placeOf(0), actual, kept);
    const issued = this.#issuedOf(0);
    const coverage = this.#coverage;
    this.#coverage = quantiles(
      (_q, i) => coverage[i] + COVERAGE_WEIGHT * ((actual <= issued[i] ? 1 : 0) - coverage[i]),
    );
    this.#calibration = calibrate(this.#calibration, issued, actual, strideSeconds);
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
    return Array.from({ length: this.#experts }, (_, e) => quantilesAt(this.#predictions, place + e * WIDTH));
  }

  #issuedOf(k: number): Quantiles {
    return quantilesAt(this.#predictions, this.#placeOf(k) + this.#experts * WIDTH);
  }
}
