import { createRandom, type Random } from "../../random.ts";
import { CLIP_SAMPLES, type Clip, type ClipLabel, type LabelledWord, SAMPLE_RATE } from "../clip.ts";
import { ACTIONS, DEVICES, NUMBERS, takesNumber, type Word } from "../vocabulary.ts";
import { drawBackground, drawEvent } from "./noises.ts";
import { drawSpeaker, type Voice } from "./speaker.ts";
import { synthesise } from "./synthesise.ts";

/** A clip as it was recorded, what was said on it, and where something else was heard. */
export interface RenderedClip {
  readonly clip: Clip;
  readonly label: ClipLabel;
  readonly events: readonly { readonly start: number; readonly end: number }[];
}

/** Who speaks and where: as in training, or one of the ways in which it may drift from that. */
export const SCENES = ["usual", "noise", "accent", "synthesiser"] as const;

export type Scene = (typeof SCENES)[number];

const VOICES: Readonly<Record<Scene, Voice>> = {
  usual: "usual",
  noise: "usual",
  accent: "accent",
  synthesiser: "synthesiser",
};

/** Power of the words over that of the background, decibels. */
const SIGNAL_TO_NOISE: Readonly<Record<Scene, readonly [number, number]>> = {
  usual: [-2, 16],
  noise: [-10, -3],
  accent: [-2, 16],
  synthesiser: [-2, 16],
};

/** How often something else is heard in a gap. */
const EVENT_CHANCE = 0.15;
/** The least and the most between two sounds, and before the first; seconds. */
const GAP = [0.18, 0.4] as const;
/** How much the loudest sample of a clip has of what can be recorded. */
const PEAK = [0.15, 0.9] as const;

interface Sound {
  /** Null: an event. */
  readonly word: Word | null;
  readonly samples: Float32Array;
}

/** Says a command and records it; the same seed and scene give the same clip. */
export function renderClip(seed: number, scene: Scene = "usual"): RenderedClip {
  const random = createRandom(seed);
  const speaker = drawSpeaker(random, VOICES[scene]);
  const words = drawCommand(random).map((word): Sound => ({ word, samples: synthesise(word, speaker, random) }));
  const sounds = [...words.flatMap(word => [...eventOrNone(random), word]), ...eventOrNone(random)];
  const { clip, words: said, events } = place(random, sounds);
  const level = 0.1 * 10 ** (-random.uniform(...SIGNAL_TO_NOISE[scene]) / 20);
  const background = drawBackground(random, CLIP_SAMPLES, level);
  return { clip: record(random, clip, background), label: { words: said }, events };
}

/** A device, an action, and where it can be said how much. */
function drawCommand(random: Random): readonly Word[] {
  const action: Word = random.pick(random.chance(0.4) ? ACTIONS.filter(takesNumber) : ACTIONS);
  const command = [random.pick(DEVICES), action];
  return takesNumber(action) && random.chance(0.7) ? [...command, random.pick(NUMBERS)] : command;
}

function eventOrNone(random: Random): Sound[] {
  return random.chance(EVENT_CHANCE) ? [{ word: null, samples: drawEvent(random, random.uniform(0.04, 0.12)) }] : [];
}

/** One after the other with gaps; what is left of the clip goes before and after. Events that find no room are left out. */
function place(
  random: Random,
  sounds: readonly Sound[],
): {
  readonly clip: Clip;
  readonly words: LabelledWord[];
  readonly events: { start: number; end: number }[];
} {
  const clip = new Float32Array(CLIP_SAMPLES);
  const fitting = thatFit(sounds);
  const [least, most] = GAP;
  const lengths = fitting.reduce((sum, { samples }) => sum + samples.length, 0) / SAMPLE_RATE;
  const room = CLIP_SAMPLES / SAMPLE_RATE - lengths - (fitting.length + 1) * least;
  const spare = Math.min(most - least, room / (fitting.length + 1));
  let at = random.uniform(least, least + Math.max(0, room - spare * fitting.length));
  const words: LabelledWord[] = [];
  const events: { start: number; end: number }[] = [];
  for (const { word, samples } of fitting) {
    const first = Math.min(Math.round(at * SAMPLE_RATE), CLIP_SAMPLES - samples.length);
    clip.set(samples, first);
    const span = { start: first / SAMPLE_RATE, end: (first + samples.length) / SAMPLE_RATE };
    if (word === null) events.push(span);
    else words.push({ word, ...span });
    at = span.end + least + random.uniform(0, spare);
  }
  return { clip, words, events };
}

/** As many of the sounds as the clip holds with the least gaps: all of the words. */
function thatFit(sounds: readonly Sound[]): readonly Sound[] {
  let length = sounds.reduce((sum, { samples }) => sum + samples.length, 0) / SAMPLE_RATE;
  let count = sounds.length;
  return sounds.filter(({ word, samples }) => {
    const isTooLong = length + (count + 1) * GAP[0] > CLIP_SAMPLES / SAMPLE_RATE;
    if (!isTooLong || word !== null) return true;
    length -= samples.length / SAMPLE_RATE;
    count -= 1;
    return false;
  });
}

/** Sounds and background together, at the level of the recording. */
function record(random: Random, sounds: Float32Array, background: Float32Array): Clip {
  const mixed = sounds.map((sample, index) => sample + (background[index] ?? 0));
  const peak = mixed.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const gain = random.uniform(...PEAK) / peak;
  return mixed.map(sample => sample * gain);
}
