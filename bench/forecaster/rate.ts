/** How good forecasts of the rate are that plans act on: their continuous ranked probability score, against an exponentially weighted mean and every other expert. */
import { RATE_QUANTILES } from "../../domain/load.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { inverseAnscombe } from "../../predictor/anscombe.ts";
import type { Expert } from "../../predictor/expert.ts";
import { RATE_EXPERTS } from "../../predictor/experts.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import { createNetworkExperts, NETWORK } from "../../predictor/network/network-experts.ts";
import type { OpenModel } from "../../predictor/network/open-model.ts";
import { pinballLoss } from "../../predictor/quantiles.ts";
import { RATE, RATE_SECONDS } from "../../predictor/target.ts";
import { HORIZONS_SECONDS, TargetForecaster } from "../../predictor/target-forecaster.ts";
import { type Figure, figure } from "../figure.ts";

const STRIDE_SECONDS = 10;
const EWMA = "ewma";
const PRODUCTION = "variscale";

export interface RateRun {
  readonly trace: LoadTrace;
  readonly bundled: OpenModel;
  /** Trained ones, and from which second on they are used; before them the bundled one is. */
  readonly models: readonly { readonly second: number; readonly model: OpenModel }[];
  readonly testFromSecond: number;
  readonly testToSecond: number;
}

interface Contestant {
  readonly name: string;
  readonly forecaster: TargetForecaster;
  readonly hasNetwork: boolean;
}

interface Score {
  crps: number;
  /** How often the rate stayed at or below each quantile. */
  readonly covered: number[];
  origins: number;
}

export function measureRate(name: string, run: RateRun, note: string, isShort: boolean): Figure[] {
  const scores = replay(run);
  return [
    ...HORIZONS_SECONDS.flatMap(seconds => {
      const crps = (one: string): number => readCrps(scores, one, seconds);
      const experts = [...RATE_EXPERTS.map(expert => expert.name), NETWORK];
      const best = experts.reduce((least, one) => (crps(one) < crps(least) ? one : least));
      return [
        figure(`${name}.rate.h${seconds}.crpsRatio`, round(crps(PRODUCTION) / crps(EWMA)), {
          against: Object.fromEntries([PRODUCTION, ...experts].map(one => [one, round(crps(one))])),
          isWhole: !isShort,
          note: `continuous ranked probability score in rps, against that of an exponentially weighted mean with the spread of a Poisson process; ${note}`,
        }),
        figure(`${name}.rate.h${seconds}.crpsRatioOfBest`, round(crps(PRODUCTION) / crps(best)), {
          against: { [best]: round(crps(best)) },
          isWhole: !isShort,
          note: `against the expert that is best, picked afterwards; ${note}`,
        }),
      ];
    }),
    figure(`${name}.rate.calibrationError`, round(Math.max(...computeErrors(scores).map(([, error]) => error))), {
      against: Object.fromEntries(computeErrors(scores).map(([key, error]) => [key, round(error)])),
      isWhole: !isShort,
      note: `points between a quantile and how often the rate stayed at or below it, the worst of each horizon; ${note}`,
    }),
  ];
}

type Scores = ReadonlyMap<string, Score>;

function joinKey(name: string, horizonSeconds: number): string {
  return `${name}.${horizonSeconds}`;
}

function readCrps(scores: Scores, name: string, horizonSeconds: number): number {
  const { crps = Number.NaN, origins = 0 } = scores.get(joinKey(name, horizonSeconds)) ?? {};
  return crps / origins;
}

function computeErrors(scores: Scores): readonly (readonly [string, number])[] {
  return HORIZONS_SECONDS.map(seconds => {
    const { covered = [], origins = 0 } = scores.get(joinKey(PRODUCTION, seconds)) ?? {};
    const errors = RATE_QUANTILES.map((q, i) => Math.abs(100 * ((covered[i] ?? 0) / origins - q)));
    return [`h${seconds}`, Math.max(...errors)] as const;
  });
}

/** Replays the trace once through all, as the scaler feeds them. */
function replay({ trace, bundled, models, testFromSecond, testToSecond }: RateRun): Scores {
  const history = new LoadHistory();
  history.startAt(Math.round(trace.startMs / 1000) + 1);
  const contestants = createContestants(bundled);
  const scores = new Map<string, Score>();
  const last = Math.min(testToSecond, trace.ratesRps.length);
  for (let second = 0; second < last; second += 1) {
    const model = models.find(one => one.second === second)?.model;
    if (model)
      for (const one of contestants)
        if (one.hasNetwork) one.forecaster.setNetwork(createNetworkExperts(new InstantNetwork(model)).rate);
    const rateRps = trace.ratesRps[second] ?? Number.NaN;
    if (Number.isNaN(rateRps)) {
      history.skip(1);
      continue;
    }
    history.push(rateRps);
    for (const { forecaster } of contestants) forecaster.learn(history);
    const isOrigin = second + 1 >= testFromSecond && (second + 1 - testFromSecond) % STRIDE_SECONDS === 0;
    if (!isOrigin) continue;
    for (const seconds of HORIZONS_SECONDS) {
      const actualRps = computeMean(trace.ratesRps, second + 1 + seconds - RATE_SECONDS);
      if (second + 1 + seconds > last || Number.isNaN(actualRps)) continue;
      for (const { name, forecaster } of contestants) {
        const key = joinKey(name, seconds);
        const score = scores.get(key) ?? { crps: 0, covered: RATE_QUANTILES.map(() => 0), origins: 0 };
        scores.set(key, score);
        addScore(score, forecaster.predict(history, seconds, seconds, true).map(inverseAnscombe), actualRps);
      }
    }
  }
  return scores;
}

function createContestants(bundled: OpenModel): readonly Contestant[] {
  const network = createNetworkExperts(new InstantNetwork(bundled)).rate;
  const create = (name: string, experts: readonly Expert[], hasNetwork: boolean): Contestant => ({
    name,
    hasNetwork,
    forecaster: new TargetForecaster(RATE, { experts, network: hasNetwork ? network : null, state: null }),
  });
  return [
    create(PRODUCTION, RATE_EXPERTS, true),
    create(NETWORK, [], true),
    ...RATE_EXPERTS.map(expert => create(expert.name, [expert], false)),
  ];
}

/** The score is twice the integral of the pinball loss over all quantiles: each stands for those nearer to it than to its neighbours. */
function addScore(score: Score, predicted: readonly number[], actual: number): void {
  score.origins += 1;
  for (const [i, q] of RATE_QUANTILES.entries()) {
    const from = i === 0 ? 0 : (q + (RATE_QUANTILES[i - 1] as number)) / 2;
    const to = i === RATE_QUANTILES.length - 1 ? 1 : (q + (RATE_QUANTILES[i + 1] as number)) / 2;
    score.crps += 2 * (to - from) * pinballLoss(q, predicted[i] as number, actual);
    if (actual <= (predicted[i] as number)) score.covered[i] = (score.covered[i] as number) + 1;
  }
}

/** The mean of ten seconds; NaN where one of them is missing. */
function computeMean(ratesRps: Float64Array, from: number): number {
  let sum = 0;
  for (let second = from; second < from + RATE_SECONDS; second += 1) sum += ratesRps[second] ?? Number.NaN;
  return sum / RATE_SECONDS;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
