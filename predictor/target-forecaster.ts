import { createCalibration } from "./conformal.ts";
import type { AskedExpert } from "./expert.ts";
import { changeExperts, createHorizonState, HorizonLearner, type HorizonState } from "./horizon-learner.ts";
import type { LoadHistory } from "./load-history.ts";
import { NETWORK } from "./network/network-experts.ts";
import { type Quantiles, sortRising } from "./quantiles.ts";
import type { Target } from "./target.ts";

/** Horizons that are learnt; for one in between the next larger one serves. */
export const HORIZONS_SECONDS = [20, 60, 600] as const;
/** A horizon may be this much longer than the one that serves it: the default lead of 25 s is served by the 20 s that are learnt soonest. */
const HORIZON_SLACK = 1.3;

/** The horizon that is learnt and serves another one: the longest where none reaches so far. */
export function findServingHorizon(horizonSeconds: number): { readonly seconds: number; readonly reaches: boolean } {
  const found = HORIZONS_SECONDS.find(learnt => horizonSeconds <= learnt * HORIZON_SLACK);
  return { seconds: found ?? Math.max(...HORIZONS_SECONDS), reaches: found !== undefined };
}

/** How forecasts of one horizon are made, and how they have done. */
export interface HorizonStatus {
  readonly horizonSeconds: number;
  /** Each expert has one, in the level that plans are made from; they add up to 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** Calibration adds this to each quantile, in Anscombe sigmas. */
  readonly offsets: Quantiles;
  /** How often the outcome of late stayed at or below each quantile. */
  readonly coverage: Quantiles;
  readonly outcomes: number;
}

/** A snapshot of one target. */
export interface TargetState {
  /** Names of the experts, in the order of what is kept of them. */
  readonly experts: readonly string[];
  readonly horizons: readonly HorizonState[];
}

export interface TargetOptions {
  readonly experts: readonly AskedExpert[];
  readonly network: AskedExpert | null;
  readonly state: TargetState | null;
}

/** Forecasts one target: experts predict its quantiles, a hedge weighs them by how they did, and an online calibration makes each quantile keep its promise. */
export class TargetForecaster {
  readonly #target: Target;
  readonly #plainExperts: readonly AskedExpert[];
  #experts: readonly AskedExpert[];
  #horizons: readonly HorizonLearner[];

  constructor(target: Target, { experts, network, state }: TargetOptions) {
    this.#target = target;
    this.#plainExperts = experts;
    this.#experts = addNetwork(experts, network);
    const now = this.#names;
    const isSame = state?.experts.join() === now.join();
    this.#horizons = HORIZONS_SECONDS.map((seconds, h) => {
      const kept = state?.horizons[h];
      const learnt = kept && !isSame ? changeExperts(target, kept, state.experts, now) : kept;
      return new HorizonLearner(target, learnt ?? createHorizonState(target, seconds, now));
    });
  }

  /** From now on it is this network that forecasts beside the others; null: none. What was learnt of the others stays. */
  setNetwork(network: AskedExpert | null): void {
    const before = this.#names.map(name => (name === NETWORK ? null : name));
    this.#experts = addNetwork(this.#plainExperts, network);
    const now = this.#names;
    this.#horizons = this.#horizons.map(
      one => new HorizonLearner(this.#target, changeExperts(this.#target, one.state(), before, now)),
    );
  }

  learn(history: LoadHistory): void {
    for (const horizon of this.#horizons) horizon.learn(history, this.#experts);
  }

  /**
   * In the Anscombe domain, rising.
   *
   * @param horizonSeconds as far as the experts look.
   * @param servingSeconds the horizon whose weights and calibration are taken.
   */
  predict(history: LoadHistory, horizonSeconds: number, servingSeconds: number, isCalibrated: boolean): Quantiles {
    const learner = this.#findLearner(servingSeconds);
    const predictions =
      (horizonSeconds === servingSeconds && learner.newestPredictions(history, this.#experts)) ||
      this.#experts.map(expert => expert.predict(history, horizonSeconds));
    const calibration = isCalibrated ? learner.calibration : createCalibration(this.#target.levels);
    return sortRising(learner.combine(predictions, history, calibration));
  }

  /** Each expert's weight in the quantile at this place; they add up to 1. */
  weights(servingSeconds: number, place: number): Readonly<Record<string, number>> {
    const weights = this.#findLearner(servingSeconds).weights(place);
    return Object.fromEntries(this.#experts.map(({ name }, i) => [name, weights[i] ?? 0]));
  }

  /** One for each horizon that is learnt, in their order. `place`: of the level whose weights are told. */
  status(place: number): readonly HorizonStatus[] {
    return this.#horizons.map(({ horizonSeconds, calibration, coverage }) => ({
      horizonSeconds,
      weights: this.weights(horizonSeconds, place),
      offsets: calibration.offsets,
      coverage,
      outcomes: calibration.outcomes,
    }));
  }

  state(): TargetState {
    return { experts: this.#names, horizons: this.#horizons.map(learner => learner.state()) };
  }

  get #names(): string[] {
    return this.#experts.map(({ name }) => name);
  }

  #findLearner(servingSeconds: number): HorizonLearner {
    return this.#horizons.find(one => one.horizonSeconds === servingSeconds) as HorizonLearner;
  }
}

function addNetwork(experts: readonly AskedExpert[], network: AskedExpert | null): readonly AskedExpert[] {
  return network === null ? experts : [...experts, network];
}
