import type { Random } from "../../random.ts";
import { type Formants, PHONEMES, type Phoneme, type PhonemeName } from "./phonemes.ts";
import type { Speaker } from "./speaker.ts";

/** Seconds of one step of a track. */
export const TRACK_STEP = 0.005;

/** How the vocal tract is driven and stands in one step. */
export interface TrackStep {
  readonly formants: Formants;
  readonly voice: number;
  readonly breath: number;
  readonly hiss: number;
  readonly band: readonly [number, number];
}

/** Strengths change over this long, in seconds. */
const ONSET = 0.012;
const NO_BAND = [2000, 2000] as const;
const NEUTRAL: Formants = [500, 1500, 2500];

/** The course of a word: its sounds one after the other, then smoothed, as the tract can't jump. */
export function trackOf(names: readonly PhonemeName[], speaker: Speaker, random: Random): readonly TrackStep[] {
  const steps: TrackStep[] = [];
  for (const [index, name] of names.entries()) {
    const phoneme: Phoneme = PHONEMES[name];
    const next = names.slice(index).find(other => PHONEMES[other].formants !== null);
    const own = phoneme.formants === null && next ? next : name;
    const begin = standOf(own, "formants", speaker);
    const end = phoneme.glide ? standOf(own, "glide", speaker) : begin;
    // The last sound of a word is longer.
    const pace = speaker.pace * random.uniform(0.9, 1.1) * (index === names.length - 1 ? 1.2 : 1);
    if (phoneme.closureMs !== undefined) addClosure(steps, phoneme, begin, pace);
    const count = stepsOf(phoneme.ms * (phoneme.closureMs === undefined ? pace : 1));
    for (let step = 0; step < count; step++) {
      steps.push({
        formants: between(begin, end, step / count),
        voice: phoneme.voice ?? 0,
        breath: phoneme.breath ?? 0,
        hiss: phoneme.hiss ?? 0,
        band: phoneme.band ?? NO_BAND,
      });
    }
    // Breath until the voice is back.
    if (phoneme.closureMs !== undefined && !phoneme.isVoiced)
      for (let step = stepsOf(25 * pace); step > 0; step--)
        steps.push({ formants: begin, voice: 0, breath: 0.12, hiss: 0, band: NO_BAND });
  }
  return smooth(steps, speaker);
}

function addClosure(steps: TrackStep[], { closureMs = 0, isVoiced }: Phoneme, formants: Formants, pace: number): void {
  for (let step = stepsOf(closureMs * pace); step > 0; step--)
    steps.push({ formants, voice: isVoiced ? 0.08 : 0, breath: 0, hiss: 0, band: NO_BAND });
}

function standOf(name: PhonemeName, end: "formants" | "glide", { scale, habits }: Speaker): Formants {
  const phoneme: Phoneme = PHONEMES[name];
  const formants = phoneme[end] ?? NEUTRAL;
  const habit = habits.get(name) ?? [1, 1, 1];
  return [formants[0] * habit[0] * scale, formants[1] * habit[1] * scale, formants[2] * habit[2] * scale];
}

/** Means over the time that the tract takes, and that strengths take; bands belong to one sound and stay. */
function smooth(steps: readonly TrackStep[], { transition }: Speaker): readonly TrackStep[] {
  const formants = [0, 1, 2].map(index => meansOf(steps, transition, step => step.formants[index] ?? 0));
  const voice = meansOf(steps, ONSET, step => step.voice);
  const breath = meansOf(steps, ONSET, step => step.breath);
  return steps.map(({ hiss, band }, index) => ({
    formants: [formants[0]?.[index] ?? 0, formants[1]?.[index] ?? 0, formants[2]?.[index] ?? 0],
    voice: voice[index] ?? 0,
    breath: breath[index] ?? 0,
    hiss,
    band,
  }));
}

function meansOf(steps: readonly TrackStep[], seconds: number, read: (step: TrackStep) => number): readonly number[] {
  const reach = Math.floor(seconds / TRACK_STEP / 2);
  return steps.map((_, index) => {
    const near = steps.slice(Math.max(0, index - reach), index + reach + 1);
    return near.reduce((sum, step) => sum + read(step), 0) / near.length;
  });
}

function between(begin: Formants, end: Formants, share: number): Formants {
  const at = (index: 0 | 1 | 2): number => begin[index] + (end[index] - begin[index]) * share;
  return [at(0), at(1), at(2)];
}

function stepsOf(ms: number): number {
  return Math.max(1, Math.round(ms / 1000 / TRACK_STEP));
}
