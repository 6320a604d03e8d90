import type { Random } from "../../random.ts";
import { SAMPLE_RATE } from "../clip.ts";
import type { Word } from "../vocabulary.ts";
import { LEXICON } from "./lexicon.ts";
import { createBand, createFormant } from "./resonator.ts";
import type { Speaker } from "./speaker.ts";
import { TRACK_STEP, type TrackStep, trackOf } from "./speech-track.ts";

const STEP_SAMPLES = Math.round(TRACK_STEP * SAMPLE_RATE);
/** Usual widths of the resonances, the fourth one's place, and where none can be any more; hertz. */
const WIDTHS = [70, 100, 150, 220] as const;
const FOURTH = 3400;
const HIGHEST = 3850;
/** What brings breath and hiss to their loudness beside a voice of one. */
const BREATH_GAIN = 0.5;
const HISS_GAIN = 1;
/** Root mean square of a word that was said. */
const LOUDNESS = 0.1;

/** Says a word: a source and the filter of a vocal tract (Fant 1960), one cascade of formants as of Klatt (1980). */
export function synthesise(word: Word, speaker: Speaker, random: Random): Float32Array {
  const track = trackOf(LEXICON[word], speaker, random);
  const samples = new Float32Array(track.length * STEP_SAMPLES);
  const voice = createVoice(speaker, random);
  const formants = WIDTHS.map(createFormant);
  const band = createBand();
  for (const [index, step] of track.entries()) {
    tune(formants, step, speaker);
    band.tune(Math.min(HIGHEST - 100, step.band[0]), step.band[1]);
    const pitch = speaker.pitch * (1 - (speaker.fall * index) / track.length);
    for (let offset = 0; offset < STEP_SAMPLES; offset++) {
      const noise = random.uniform(-1, 1);
      let value = step.voice * voice(pitch) + BREATH_GAIN * (step.breath + speaker.breath * step.voice) * noise;
      for (const formant of formants) value = formant.next(value);
      samples[index * STEP_SAMPLES + offset] = value + band.next(HISS_GAIN * step.hiss * random.uniform(-1, 1));
    }
  }
  return scaleTo(samples, LOUDNESS);
}

function tune(formants: readonly ReturnType<typeof createFormant>[], step: TrackStep, speaker: Speaker): void {
  const places = [...step.formants, FOURTH * speaker.scale];
  for (const [index, formant] of formants.entries())
    formant.tune(Math.min(HIGHEST, places[index] ?? HIGHEST), (WIDTHS[index] ?? 200) * speaker.damping);
}

/** One sample of the voice at a pitch in hertz. */
function createVoice({ source, openQuotient, tilt }: Speaker, random: Random): (pitch: number) => number {
  let phase = 0;
  let jitter = 1;
  let soft = 0;
  return pitch => {
    phase += (pitch * jitter) / SAMPLE_RATE;
    if (phase >= 1) {
      phase -= 1;
      jitter = source === "saw" ? 1 : random.uniform(0.98, 1.02);
    }
    const pulse = source === "saw" ? 1 - 2 * phase : glottalFlow(phase / openQuotient);
    soft = tilt * soft + (1 - tilt) * pulse;
    return soft;
  };
}

/** Change of the flow through the glottis, which is open from 0 to 1: KLGLOTT88 (Klatt and Klatt 1990). */
function glottalFlow(share: number): number {
  return share < 1 ? share * (2 - 3 * share) : 0;
}

/** To a root mean square. */
export function scaleTo(samples: Float32Array, level: number): Float32Array {
  const now = levelOf(samples);
  return now > 0 ? samples.map(sample => (sample * level) / now) : samples;
}

/** Root mean square. */
export function levelOf(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}
