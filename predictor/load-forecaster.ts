import { VariscaleError } from "../domain/errors.ts";
import { type Forecast, isRate, type LoadSample, MAX_RATE_RPS } from "../domain/load.ts";
import { inverseAnscombe } from "./anscombe.ts";
import { UNCALIBRATED } from "./conformal.ts";
import type { Expert } from "./expert.ts";
import { expertsOf } from "./experts.ts";
import { type ForecasterSnapshot, parseSnapshot, SNAPSHOT_VERSION } from "./forecaster-snapshot.ts";
import { HorizonLearner, newHorizonState, withExperts } from "./horizon-learner.ts";
import { intensities } from "./intensity.ts";
import { type LoadCell, LoadHistory } from "./load-history.ts";
import { NETWORK, networkExpert } from "./network-expert.ts";
import type { ForecastModel } from "./network-model.ts";
import { type Quantiles, quantiles, rising } from "./quantiles.ts";
import { reactiveRateRps, riseRps } from "./reactive-rate.ts";
import { placeSample, type SampleClock } from "./sample-clock.ts";

/** Horizons that are learnt; for one in between the next larger one serves. */
export const HORIZONS_SECONDS = [20, 60, 600] as const;
/** A horizon may be this much longer than the one that serves it: the default lead of 25 s is served by the 20 s that are learnt soonest. */
const HORIZON_SLACK = 1.3;
/** Nothing here sees further; longer horizons are forecast as this one. */
const LONGEST_HORIZON_SECONDS = 3600;

const HISTORY_SECONDS = 21 * 86_400;
/** Place of the 0.95 quantile, which plans are made from. */
const PLANNED = 2;

const STALE_AFTER_MS = 15_000;

export interface LoadForecasterOptions {
  /** Without a sample for longer than this there is no forecast. Default 15,000. */
  readonly staleAfterMs?: number;
  /** Of the quantile network, one expert beside the others; null or missing: they go without. */
  readonly model?: ForecastModel | null;
  /** Who predicts beside the network. Default: those of expertsOf. */
  readonly experts?: readonly Expert[];
  /** Another one for each pipeline spreads their fits over time. Default 0. */
  readonly phaseSeconds?: number;
  /** False: the experts' mixture is given as it is. Default true. */
  readonly calibrated?: boolean;
}

/** How forecasts of one horizon are made, and how they have done. */
export interface HorizonStatus {
  readonly horizonSeconds: number;
  /** Of each expert in the 0.95 quantile, which plans are made from; they add up to 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** What is added to each quantile, in Anscombe sigmas. */
  readonly offsets: Quantiles;
  /** How often the outcome of late stayed at or below each quantile. */
  readonly coverage: Quantiles;
  readonly outcomes: number;
}

/**
 * Forecasts the highest one-second rate within a horizon from the samples of one load source: experts predict its quantiles, a
 * hedge weighs them by how they did, and an online calibration makes each quantile keep its promise. It has no clock and no
 * randomness: the same samples give the same forecasts. At most 250 KiB an instance.
 */
export class LoadForecaster {
  readonly #staleAfterMs: number;
  readonly #isCalibrated: boolean;
  #history = new LoadHistory();
  #clock: SampleClock | null = null;
  readonly #plainExperts: readonly Expert[];
  #experts: readonly Expert[];
  #horizons: readonly HorizonLearner[];
  #rejectedSamples = 0;

  constructor(options: LoadForecasterOptions = {}) {
    this.#staleAfterMs = options.staleAfterMs ?? STALE_AFTER_MS;
    this.#isCalibrated = options.calibrated ?? true;
    this.#plainExperts = options.experts ?? expertsOf(options.phaseSeconds ?? 0);
    this.#experts = withNetwork(this.#plainExperts, options.model ?? null);
    this.#horizons = HORIZONS_SECONDS.map(
      seconds => new HorizonLearner(newHorizonState(seconds, namesOf(this.#experts))),
    );
  }

  /**
   * From now on the network forecasts with this model; null: without the network. What was learnt of the others stays; a new model has
   * its losses to come.
   */
  setModel(model: ForecastModel | null): void {
    const before = namesOf(this.#experts).map(name => (name === NETWORK ? null : name));
    this.#experts = withNetwork(this.#plainExperts, model);
    const now = namesOf(this.#experts);
    this.#horizons = this.#horizons.map(one => new HorizonLearner(withExperts(one.state(), before, now)));
  }

  /** Samples left out so far: not a rate, not later than the newest one, or less than half a second after it. */
  get rejectedSamples(): number {
    return this.#rejectedSamples;
  }

  /** Time of the newest sample taken; null: none was. */
  get newestAtMs(): number | null {
    return this.#clock?.newestAtMs ?? null;
  }

  /** Takes the rate of one second. A gap is a gap, not a zero; a clock that was set back is followed after five samples. */
  observe(sample: LoadSample): void {
    const placed = isRate(sample.rateRps) ? placeSample(this.#clock, sample.atMs) : null;
    if (this.#clock === null && placed?.seconds === 1) this.#history.startAt(Math.round(sample.atMs / 1000));
    if (placed !== null) this.#clock = placed.clock;
    if (placed === null || placed.seconds === 0) {
      this.#rejectedSamples += 1;
      return;
    }
    if (placed.seconds > 1) this.#history.skip(placed.seconds - 1);
    this.#history.push(sample.rateRps);
    for (const horizon of this.#horizons) horizon.learn(this.#history, this.#experts);
  }

  /**
   * The highest rate from `nowMs` until `nowMs + horizonMs`. Null when there is no usable data: no sample yet, or the newest one is
   * more than `staleAfterMs` away from `nowMs` (default: that of the options). Throws VariscaleError `invalid_argument` when an argument is not a finite number or
   * the horizon is not above 0.
   */
  forecast(nowMs: number, horizonMs: number, staleAfterMs = this.#staleAfterMs): Forecast | null {
    if (!Number.isFinite(nowMs))
      throw new VariscaleError("invalid_argument", `nowMs is ${nowMs}; pass a finite number of milliseconds`);
    const learner = this.#horizonFor(horizonMs);
    if (this.#clock === null) return null;
    const ageMs = nowMs - this.#clock.newestAtMs;
    if (Math.abs(ageMs) > staleAfterMs) return null;
    // What is learnt is learnt of whole horizons; only beyond the longest one the experts look as far as is asked.
    const asked = Math.min(Math.round((horizonMs + ageMs) / 1000), LONGEST_HORIZON_SECONDS);
    const seconds = isServedBy(learner, horizonMs) ? learner.horizonSeconds : asked;
    const predictions =
      (seconds === learner.horizonSeconds && learner.newestPredictions(this.#history)) ||
      this.#experts.map(expert => expert.predict(this.#history, seconds));
    const issued = rising(learner.combine(predictions, this.#isCalibrated ? learner.calibration : UNCALIBRATED));
    const peakRps = quantiles((_q, i) => Math.min(inverseAnscombe(issued[i]), MAX_RATE_RPS));
    const reactiveRps = reactiveRateRps(this.#history);
    return {
      atMs: nowMs,
      horizonMs,
      peakRps,
      intensityRps: intensities(peakRps, seconds),
      reactiveRps,
      riseRps: riseRps(this.#history, reactiveRps),
      leader: this.#leaderOf(learner),
    };
  }

  /** Seconds of the last three weeks that have a sample, by whole minutes where they are long ago. */
  get knownSeconds(): number {
    return this.#history.window(0, HISTORY_SECONDS).present;
  }

  /** Of the horizons that are learnt, in their order. */
  status(): readonly HorizonStatus[] {
    return this.#horizons.map(learner => ({
      horizonSeconds: learner.horizonSeconds,
      weights: this.#weightsOf(learner),
      offsets: learner.calibration.offsets,
      coverage: learner.coverage,
      outcomes: learner.calibration.outcomes,
    }));
  }

  /** Each expert's weight in the 0.95 quantile of this horizon; they add up to 1. */
  weights(horizonMs: number): Readonly<Record<string, number>> {
    return this.#weightsOf(this.#horizonFor(horizonMs));
  }

  /** What is to be kept beside snapshots: ten-second cells later than the one of this index, rising. */
  cellsAfter(index: number): LoadCell[] {
    return this.#history.cellsAfter(index);
  }

  snapshot(): ForecasterSnapshot {
    return {
      version: SNAPSHOT_VERSION,
      clock: this.#clock,
      second: this.#history.second,
      ratesRps: this.#history.toRates(),
      experts: namesOf(this.#experts),
      horizons: this.#horizons.map(learner => learner.state()),
    };
  }

  /**
   * Goes on where `snapshot` was taken, with the cells that were kept (rising). A snapshot that is unusable (absent, damaged, of
   * another version) leaves the cells alone.
   */
  static restore(
    snapshot: unknown,
    options: LoadForecasterOptions = {},
    cells: Iterable<LoadCell> = [],
  ): LoadForecaster {
    const forecaster = new LoadForecaster(options);
    const parsed = parseSnapshot(snapshot, HORIZONS_SECONDS);
    forecaster.#history = LoadHistory.from(parsed?.ratesRps ?? [], parsed?.second ?? 0, cells);
    if (parsed !== null) {
      forecaster.#clock = parsed.clock;
      const [before, now] = [parsed.experts, namesOf(forecaster.#experts)];
      const isSame = before.join() === now.join();
      const horizons = isSame ? parsed.horizons : parsed.horizons.map(one => withExperts(one, before, now));
      forecaster.#horizons = horizons.map(state => new HorizonLearner(state));
    }
    return forecaster;
  }

  #weightsOf(learner: HorizonLearner): Readonly<Record<string, number>> {
    const weights = learner.weights(PLANNED);
    return Object.fromEntries(this.#experts.map(({ name }, i) => [name, weights[i] ?? 0]));
  }

  #leaderOf(learner: HorizonLearner): string {
    const weights = learner.weights(PLANNED);
    return this.#experts[weights.indexOf(Math.max(...weights))]?.name ?? "none";
  }

  #horizonFor(horizonMs: number): HorizonLearner {
    if (!Number.isFinite(horizonMs) || horizonMs <= 0)
      throw new VariscaleError("invalid_argument", `horizonMs is ${horizonMs}; pass a number of milliseconds above 0`);
    const learner = this.#horizons.find(horizon => isServedBy(horizon, horizonMs)) ?? this.#horizons.at(-1);
    if (learner === undefined) throw new VariscaleError("internal", "no horizon is learnt");
    return learner;
  }
}

function isServedBy(horizon: { readonly horizonSeconds: number }, horizonMs: number): boolean {
  return horizonMs <= horizon.horizonSeconds * HORIZON_SLACK * 1000;
}

/** The horizon that is learnt and serves another one. */
export function servingHorizonSeconds(horizonSeconds: number): number {
  const found = HORIZONS_SECONDS.find(learnt => isServedBy({ horizonSeconds: learnt }, horizonSeconds * 1000));
  return found ?? HORIZONS_SECONDS[HORIZONS_SECONDS.length - 1] ?? horizonSeconds;
}

function withNetwork(experts: readonly Expert[], model: ForecastModel | null): readonly Expert[] {
  return model ? [...experts, networkExpert(model)] : experts;
}

function namesOf(experts: readonly Expert[]): string[] {
  return experts.map(({ name }) => name);
}
