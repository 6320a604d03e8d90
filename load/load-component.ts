import { courseLevel } from "./course-level.ts";
import { exponential, normal } from "./seeded-random.ts";

const DAY_SECONDS = 86_400;

/** One thing that shapes a load. Lengths that are called means are those of exponential distributions. */
export type LoadComponent =
  /** A wave of `amplitude` above and below 1, with its top `topSeconds` into each period. */
  | {
      readonly kind: "season";
      readonly periodSeconds: number;
      readonly amplitude: number;
      readonly topSeconds: number;
    }
  /** A factor for each day from Monday on. */
  | { readonly kind: "week"; readonly factors: readonly number[] }
  /** Straight lines through `factors`, over and over. */
  | { readonly kind: "course"; readonly periodSeconds: number; readonly factors: readonly number[] }
  /** A burst in each period, as of jobs that start at the full hour; some are left out and none starts at the exact second. */
  | {
      readonly kind: "bursts";
      readonly periodSeconds: number;
      readonly startSeconds: number;
      readonly lengthSeconds: number;
      readonly factor: number;
      readonly jitterSeconds: number;
      readonly chance: number;
    }
  /** Another level after a mean time, a normal number of `sigma` as the logarithm of its factor. */
  | { readonly kind: "shifts"; readonly meanSeconds: number; readonly sigma: number }
  /** A logarithm that wanders about 0 with the deviation `sigma` and is forgotten after `memorySeconds` (Ornstein and Uhlenbeck). */
  | { readonly kind: "wander"; readonly memorySeconds: number; readonly sigma: number }
  /** One of `factors` after the other by chance, each for a mean time: a Markov-modulated Poisson process. */
  | { readonly kind: "states"; readonly factors: readonly number[]; readonly meanSeconds: number }
  /** A crowd that comes within `riseSeconds`, up to `factor` times the load, and of which half is left after `halfLifeSeconds`. */
  | {
      readonly kind: "flashCrowds";
      readonly meanSeconds: number;
      readonly factor: number;
      readonly riseSeconds: number;
      readonly halfLifeSeconds: number;
    }
  /** A source of its own that is on and off for mean times. */
  | {
      readonly kind: "onOff";
      readonly rateRps: number;
      readonly meanOnSeconds: number;
      readonly meanOffSeconds: number;
    }
  /** Seconds that nothing is known of: after a mean time, for a mean length. */
  | { readonly kind: "gaps"; readonly meanSeconds: number; readonly meanLengthSeconds: number }
  /** The same seconds of every day that nothing is known of. */
  | { readonly kind: "dailyGap"; readonly startSeconds: number; readonly lengthSeconds: number };

/** What a component makes of one second: it multiplies the base rate, adds a rate, or hides the second. */
export interface Effect {
  factor: number;
  addedRps: number;
  isMissing: boolean;
}

/** Called once for each second from 0 on, in order: changes `effect`. */
export type ComponentCourse = (effect: Effect, second: number) => void;

/** One run of a component; the same numbers of `random` give the same course. */
export function courseOf(component: LoadComponent, random: () => number): ComponentCourse {
  switch (component.kind) {
    case "season": {
      const { periodSeconds, amplitude, topSeconds } = component;
      return (effect, second) => {
        effect.factor *= 1 + amplitude * Math.cos((2 * Math.PI * (second - topSeconds)) / periodSeconds);
      };
    }
    case "week":
      return (effect, second) => {
        effect.factor *= component.factors[Math.floor(second / DAY_SECONDS) % component.factors.length] ?? 1;
      };
    case "course": {
      const { periodSeconds, factors } = component;
      return (effect, second) => {
        effect.factor *= courseLevel(factors, (second % periodSeconds) / periodSeconds);
      };
    }
    case "bursts":
      return bursts(component, random);
    case "shifts":
      return changing(random, component.meanSeconds, () => Math.exp(component.sigma * normal(random)));
    case "states":
      return changing(random, component.meanSeconds, () => pick(component.factors, random));
    case "wander":
      return wander(component, random);
    case "flashCrowds":
      return flashCrowds(component, random);
    case "onOff": {
      const { rateRps, meanOnSeconds, meanOffSeconds } = component;
      const isOn = alternating(random, meanOffSeconds, meanOnSeconds);
      return (effect, second) => {
        if (isOn(second)) effect.addedRps += rateRps;
      };
    }
    case "gaps": {
      const isMissing = alternating(random, component.meanSeconds, component.meanLengthSeconds);
      return (effect, second) => {
        if (isMissing(second)) effect.isMissing = true;
      };
    }
    case "dailyGap":
      return (effect, second) => {
        const since = (second % DAY_SECONDS) - component.startSeconds;
        if (since >= 0 && since < component.lengthSeconds) effect.isMissing = true;
      };
    default:
      return component satisfies never;
  }
}

function pick(choices: readonly number[], random: () => number): number {
  return choices[Math.floor(random() * choices.length)] ?? 1;
}

/** A factor that is drawn anew after a mean time. */
function changing(random: () => number, meanSeconds: number, draw: () => number): ComponentCourse {
  let factor = draw();
  let untilSecond = exponential(random, meanSeconds);
  return (effect, second) => {
    while (second >= untilSecond) {
      factor = draw();
      untilSecond += Math.max(exponential(random, meanSeconds), 1);
    }
    effect.factor *= factor;
  };
}

/** False for a mean time, true for another, and so on. */
function alternating(
  random: () => number,
  meanFalseSeconds: number,
  meanTrueSeconds: number,
): (second: number) => boolean {
  let isTrue = random() < meanTrueSeconds / (meanTrueSeconds + meanFalseSeconds);
  let untilSecond = exponential(random, isTrue ? meanTrueSeconds : meanFalseSeconds);
  return second => {
    while (second >= untilSecond) {
      isTrue = !isTrue;
      untilSecond += Math.max(exponential(random, isTrue ? meanTrueSeconds : meanFalseSeconds), 1);
    }
    return isTrue;
  };
}

function bursts(component: LoadComponent & { readonly kind: "bursts" }, random: () => number): ComponentCourse {
  const { periodSeconds, startSeconds, lengthSeconds, factor, jitterSeconds, chance } = component;
  let period = -1;
  let fromSecond = 0;
  let height = 1;
  return (effect, second) => {
    const current = Math.floor(second / periodSeconds);
    if (current !== period) {
      period = current;
      fromSecond = current * periodSeconds + startSeconds + (2 * random() - 1) * jitterSeconds;
      // Half as high to half as high again.
      height = random() < chance ? 1 + (factor - 1) * (0.5 + random()) : 1;
    }
    const share = (second - fromSecond) / lengthSeconds;
    // A rise within a tenth of its length, then a slow fall.
    if (share >= 0 && share < 1) effect.factor *= 1 + (height - 1) * Math.min(share / 0.1, (1 - share) / 0.9);
  };
}

function wander(component: LoadComponent & { readonly kind: "wander" }, random: () => number): ComponentCourse {
  const kept = Math.exp(-1 / component.memorySeconds);
  const step = component.sigma * Math.sqrt(1 - kept * kept);
  let logarithm = component.sigma * normal(random);
  return effect => {
    logarithm = kept * logarithm + step * normal(random);
    effect.factor *= Math.exp(logarithm - component.sigma ** 2 / 2);
  };
}

function flashCrowds(
  component: LoadComponent & { readonly kind: "flashCrowds" },
  random: () => number,
): ComponentCourse {
  const { meanSeconds, riseSeconds, halfLifeSeconds } = component;
  let startSecond = exponential(random, meanSeconds);
  let height = 0;
  let crowd = 0;
  return (effect, second) => {
    if (second >= startSecond) {
      if (height === 0) height = (component.factor - 1) * (0.5 + random());
      crowd += height / riseSeconds;
      if (second >= startSecond + riseSeconds) {
        startSecond = second + exponential(random, meanSeconds);
        height = 0;
      }
    }
    crowd *= 2 ** (-1 / halfLifeSeconds);
    effect.factor *= 1 + crowd;
  };
}
