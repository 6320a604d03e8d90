import type { Random } from "../../random.ts";
import { SAMPLE_RATE } from "../clip.ts";
import { createBand, createFormant } from "./resonator.ts";
import { scaleTo } from "./synthesise.ts";

/** What is heard all the time: hiss, rumble and mains hum, mixed anew for each clip; root mean square `level`. */
export function drawBackground(random: Random, length: number, level: number): Float32Array {
  const samples = new Float32Array(length);
  const rumble = createFormant();
  rumble.tune(random.uniform(20, 200), random.uniform(150, 800));
  const [hissShare, rumbleShare, humShare] = [random.uniform(0.1, 1), random.uniform(0, 3), random.uniform(0, 0.5)];
  const hum = (2 * Math.PI * random.pick([50, 60, 100, 120])) / SAMPLE_RATE;
  const start = random.uniform(0, 6);
  for (let at = 0; at < length; at++) {
    const white = random.next() + random.next() - random.next() - random.next();
    samples[at] =
      hissShare * white +
      rumbleShare * rumble.next(white) +
      humShare * (Math.sin(start + hum * at) + Math.sin(3 * hum * at));
  }
  return scaleTo(samples, level);
}

/** A sound that is no word: a beep, a knock, or a cough. Root mean square `level`. */
export function drawEvent(random: Random, level: number): Float32Array {
  const length = Math.round(random.uniform(0.12, 0.32) * SAMPLE_RATE);
  const shape = random.pick([beep, knock, cough]);
  return scaleTo(shape(random, length), level);
}

/** One or two tones; soft ends. */
function beep(random: Random, length: number): Float32Array {
  const step = (2 * Math.PI * random.uniform(350, 2600)) / SAMPLE_RATE;
  const other = step * random.pick([1, 1.25, 1.5, 2]);
  return Float32Array.from({ length }, (_, at) => softEnds(at, length) * (Math.sin(step * at) + Math.sin(other * at)));
}

/** Strokes on something that rings for a short while. */
function knock(random: Random, length: number): Float32Array {
  const body = createBand();
  body.tune(random.uniform(150, 1800), random.uniform(60, 300));
  const every = Math.round(length / random.integer(1, 3));
  return Float32Array.from({ length }, (_, at) => body.next(at % every < 16 ? random.uniform(-1, 1) : 0));
}

/** Breath through an open mouth, in bursts. */
function cough(random: Random, length: number): Float32Array {
  const [low, high] = [createFormant(), createFormant()];
  low.tune(random.uniform(450, 800), 150);
  high.tune(random.uniform(1000, 1900), 200);
  return Float32Array.from({ length }, (_, at) => {
    const strength = Math.exp((-5 * at) / length) * softEnds(at, length);
    return high.next(low.next(strength * random.uniform(-1, 1)));
  });
}

function softEnds(at: number, length: number): number {
  return Math.min(1, at / 100, (length - at) / 100);
}
