import { SAMPLE_RATE } from "../clip.ts";

/** A filter with one resonance; time-varying. */
export interface Resonator {
  /** Moves the resonance; hertz. */
  tune(hertz: number, bandwidth: number): void;
  /** One sample in, one out. */
  next(sample: number): number;
}

/** A formant: gain of one at 0 Hz (Klatt 1980, equations 1 and 2). */
export function createFormant(): Resonator {
  let [gain, first, second] = [1, 0, 0];
  let [before, earlier] = [0, 0];
  return {
    tune(hertz, bandwidth) {
      [first, second] = polesOf(hertz, bandwidth);
      gain = 1 - first - second;
    },
    next(sample) {
      const value = gain * sample + first * before + second * earlier;
      earlier = before;
      before = value;
      return value;
    },
  };
}

/** A band of noise: gain of about one at the resonance, none at 0 Hz and at half the sample rate. */
export function createBand(): Resonator {
  let [gain, first, second] = [1, 0, 0];
  let [input, inputBefore, before, earlier] = [0, 0, 0, 0];
  return {
    tune(hertz, bandwidth) {
      [first, second] = polesOf(hertz, bandwidth);
      gain = (1 + second) / 2;
    },
    next(sample) {
      const value = gain * (sample - inputBefore) + first * before + second * earlier;
      inputBefore = input;
      input = sample;
      earlier = before;
      before = value;
      return value;
    },
  };
}

/** What the last and the last but one output count for in the next. */
function polesOf(hertz: number, bandwidth: number): [number, number] {
  const radius = Math.exp((-Math.PI * bandwidth) / SAMPLE_RATE);
  return [2 * radius * Math.cos((2 * Math.PI * hertz) / SAMPLE_RATE), -radius * radius];
}
