/** Uniform numbers in [0, 1) by a 32-bit Weyl sequence and a mixing function: the same seed gives the same numbers. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A Poisson count: exponential gaps at a small mean, halves of it at a large one. */
export function poissonCount(random: () => number, mean: number): number {
  if (mean > 30) return poissonCount(random, mean / 2) + poissonCount(random, mean / 2);
  let count = -1;
  for (let time = 0; time <= mean; count++) time -= Math.log(1 - random());
  return count;
}

/** Rates in rps, one a second. */
export type Load = (seconds: number, seed: number) => number[];

function poissonLoad(levelAt: (random: () => number) => (second: number) => number): Load {
  return (seconds, seed) => {
    const random = seededRandom(seed);
    const level = levelAt(random);
    return Array.from({ length: seconds }, (_, second) => poissonCount(random, level(second)));
  };
}

export const LOADS: Readonly<Record<string, Load>> = {
  constant: poissonLoad(() => () => 50),
  low: poissonLoad(() => () => 1),
  diurnal: poissonLoad(() => second => 60 * (1 + 0.7 * Math.sin((second / 3600) * 2 * Math.PI))),
  ramps: poissonLoad(() => second => 10 + 190 * Math.abs((second % 1200) / 600 - 1)),
  bursts: poissonLoad(random => {
    let left = 0;
    let height = 0;
    return () => {
      if (left > 0) left -= 1;
      else if (random() < 1 / 180) {
        left = 5 + Math.floor(random() * 40);
        height = 20 + random() * 80;
      }
      return left > 0 ? 30 + height : 30;
    };
  }),
  shifts: poissonLoad(random => {
    let level = 50;
    return () => {
      if (random() < 1 / 600) level = 5 + random() * 200;
      return level;
    };
  }),
};
