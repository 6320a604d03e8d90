import { VariscaleError } from "../domain/errors.ts";
import { type Forecast, isRate, type LoadSample, MAX_RATE_RPS, QUANTILES, RATE_QUANTILES } from "../domain/load.ts";
import { inverseAnscombe } from "./anscombe.ts";
import type { AskedExpert } from "./expert.ts";
import { createExperts } from "./experts.ts";
import { type ForecasterSnapshot, parseSnapshot, SNAPSHOT_VERSION } from "./forecaster-snapshot.ts";
import { intensities } from "./intensity.ts";
import { type LoadCell, LoadHistory } from "./load-history.ts";
import type { Network } from "./network/network.ts";
import { createNetworkExperts } from "./network/network-experts.ts";
import type { Quantiles } from "./quantiles.ts";
import { reactiveRateRps, riseRps } from "./reactive-rate.ts";
import { placeSample, type SampleClock } from "./sample-clock.ts";
import { PEAK, RATE } from "./target.ts";
import { findServingHorizon, type HorizonStatus, TargetForecaster } from "./target-forecaster.ts";

/** Nothing here sees further; longer horizons are forecast as this one. */
const LONGEST_HORIZON_SECONDS = 3600;

const HISTORY_SECONDS = 21 * 86_400;
/** Place of the 0.95 quantile, which plans are made from. */
const PLANNED = 2;

const STALE_AFTER_MS = 15_000;

export interface LoadForecasterOptions {
  /** Without a sample for longer than this there is no forecast. Default 15,000. */
  readonly staleAfterMs?: number;
  /** One expert beside the others, of this forecaster alone; null or missing: they go without. */
  readonly network?: Network | null;
  /** Who predicts the peak beside the network. Default: those of createExperts. */
  readonly experts?: readonly AskedExpert[];
  /** Another one for each pipeline spreads their fits over time. Default 0. */
  readonly phaseSeconds?: number;
  /** False: the experts' mixture is given as it is. Default true. */
  readonly calibrated?: boolean;
}

/**
 * Forecasts from the samples of one load source the highest one-second rate within a horizon, and the mean rate at its end. It has no
 * clock and no randomness: the same samples give the same forecasts. At most 250 KiB an instance.
 */
export class LoadForecaster {
  readonly #staleAfterMs: number;
  readonly #isCalibrated: boolean;
  #history = new LoadHistory();
  #clock: SampleClock | null = null;
  readonly #peak: TargetForecaster;
  readonly #rate: TargetForecaster;
  #rejectedSamples = 0;

  constructor(options: LoadForecasterOptions = {}, kept: ForecasterSnapshot | null = null) {
    this.#staleAfterMs = options.staleAfterMs ?? STALE_AFTER_MS;
    this.#isCalibrated = options.calibrated ?? true;
    const { peak, rate } = createNetworkExperts(options.network ?? null);
    const phase = options.phaseSeconds ?? 0;
    const [experts, rateExperts] = [options.experts ?? createExperts(PEAK, phase), createExperts(RATE, phase)];
    this.#peak = new TargetForecaster(PEAK, { experts, network: peak, state: kept?.peak ?? null });
    this.#rate = new TargetForecaster(RATE, { experts: rateExperts, network: rate, state: kept?.rate ?? null });
    this.#clock = kept?.clock ?? null;
  }

  /**
   * From now on this network is the expert beside the others; null: there is none. What was learnt of the others stays; a new network has
   * its losses to come.
   */
  setNetwork(network: Network | null): void {
    const { peak, rate } = createNetworkExperts(network);
    this.#peak.setNetwork(peak);
    this.#rate.setNetwork(rate);
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
    this.#peak.learn(this.#history);
    this.#rate.learn(this.#history);
  }

  /**
   * The highest rate from `nowMs` until `nowMs + horizonMs`. Null when there is no usable data: no sample yet, or the newest one is
   * more than `staleAfterMs` away from `nowMs` (default: that of the options). Throws VariscaleError `invalid_argument` when an argument is not a finite number or
   * the horizon is not above 0.
   */
  forecast(nowMs: number, horizonMs: number, staleAfterMs = this.#staleAfterMs): Forecast | null {
    if (!Number.isFinite(nowMs))
      throw new VariscaleError("invalid_argument", `nowMs is ${nowMs}; pass a finite number of milliseconds`);
    if (!Number.isFinite(horizonMs) || horizonMs <= 0)
      throw new VariscaleError("invalid_argument", `horizonMs is ${horizonMs}; pass a number of milliseconds above 0`);
    if (this.#clock === null) return null;
    const ageMs = nowMs - this.#clock.newestAtMs;
    if (Math.abs(ageMs) > staleAfterMs) return null;
    // What is learnt is learnt of whole horizons; only beyond the longest one the experts look as far as is asked.
    const { seconds: learnt, reaches } = findServingHorizon(horizonMs / 1000);
    const seconds = reaches ? learnt : Math.min(Math.round((horizonMs + ageMs) / 1000), LONGEST_HORIZON_SECONDS);
    const predict = (target: TargetForecaster): Quantiles =>
      target
        .predict(this.#history, seconds, learnt, this.#isCalibrated)
        .map(quantile => Math.min(inverseAnscombe(quantile), MAX_RATE_RPS));
    const peakRps = predict(this.#peak) as Forecast["peakRps"];
    const reactiveRps = reactiveRateRps(this.#history);
    return {
      atMs: nowMs,
      horizonMs,
      peakRps,
      intensityRps: intensities(peakRps, seconds) as Forecast["intensityRps"],
      rateRps: predict(this.#rate),
      reactiveRps,
      riseRps: riseRps(this.#history, reactiveRps),
      leader: this.#findLeader(learnt),
    };
  }

  /** Seconds of the last three weeks that have a sample, by whole minutes where they are long ago. */
  get knownSeconds(): number {
    return this.#history.window(0, HISTORY_SECONDS).present;
  }

  /** The peak has one for each horizon that is learnt, in their order. */
  status(): readonly HorizonStatus[] {
    return this.#peak.status(PLANNED);
  }

  /** How far the peak's 0.95 quantile of late was from being kept in 0.95 of the cases, at the worst horizon. */
  get miscalibration(): number {
    const errors = this.status().map(({ coverage }) => Math.abs((coverage[PLANNED] as number) - QUANTILES[PLANNED]));
    return Math.max(...errors);
  }

  /** The rate has them, too; the weights are those of its middle. */
  rateStatus(): readonly HorizonStatus[] {
    return this.#rate.status(RATE_QUANTILES.indexOf(0.5));
  }

  /** Each expert's weight in the 0.95 quantile of this horizon's peak; they add up to 1. */
  weights(horizonMs: number): Readonly<Record<string, number>> {
    return this.#peak.weights(findServingHorizon(horizonMs / 1000).seconds, PLANNED);
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
      peak: this.#peak.state(),
      rate: this.#rate.state(),
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
    const parsed = parseSnapshot(snapshot);
    const forecaster = new LoadForecaster(options, parsed);
    forecaster.#history = LoadHistory.from(parsed?.ratesRps ?? [], parsed?.second ?? 0, cells);
    return forecaster;
  }

  #findLeader(learntSeconds: number): string {
    const weights = Object.entries(this.#peak.weights(learntSeconds, PLANNED));
    return weights.reduce((best, one) => (one[1] > best[1] ? one : best), ["none", 0])[0];
  }
}
