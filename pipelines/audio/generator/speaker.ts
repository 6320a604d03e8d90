import type { Random } from "../../random.ts";
import { type Formants, PHONEMES, type PhonemeName } from "./phonemes.ts";

/** How somebody speaks: constant over a clip. */
export interface Speaker {
  /** Hertz. */
  readonly pitch: number;
  /** Part of the pitch that is lost over a word. */
  readonly fall: number;
  /** Formants over those of the tables: short tracts have high ones. */
  readonly scale: number;
  /** Lengths of sounds over those of the tables. */
  readonly pace: number;
  /** Breath in the voice, 0 to 1. */
  readonly breath: number;
  /** Part of a period in which the glottis is open. */
  readonly openQuotient: number;
  /** How much of the high frequencies the voice loses: the pole of a filter, 0 to 1. */
  readonly tilt: number;
  /** Widths of the resonances over the usual ones. */
  readonly damping: number;
  /** Seconds that the tract takes from one sound to the next. */
  readonly transition: number;
  /** `glottal`: a pulse with an open and a closed phase (KLGLOTT88). `saw`: the steps of older synthesisers. */
  readonly source: "glottal" | "saw";
  /** Formants of this speaker's sounds over those of others. */
  readonly habits: ReadonlyMap<PhonemeName, Formants>;
}

/** Who speaks: those of training, or two ways of drifting from them. */
export type Voice = "usual" | "accent" | "synthesiser";

/** Draws somebody. */
export function drawSpeaker(random: Random, voice: Voice): Speaker {
  const usual = drawUsual(random);
  if (voice === "accent") {
    // Vowels of another dialect, on the whole higher and further back, and children among the speakers.
    const isChild = random.chance(0.5);
    return {
      ...usual,
      pitch: isChild ? random.uniform(240, 330) : usual.pitch,
      scale: isChild ? random.uniform(1.2, 1.3) : usual.scale,
      pace: usual.pace * random.uniform(0.8, 1.3),
      habits: drawHabits(random, 0.14, [0.88, 0.86, 1]),
    };
  }
  if (voice === "synthesiser")
    return {
      ...usual,
      fall: 0,
      breath: 0,
      tilt: random.uniform(0, 0.2),
      damping: random.uniform(1.8, 2.6),
      transition: 0.008,
      source: "saw",
    };
  return usual;
}

function drawUsual(random: Random): Speaker {
  // Women and men: pitch and length of the tract go together.
  const isHigh = random.chance(0.5);
  return {
    pitch: isHigh ? random.uniform(165, 250) : random.uniform(85, 150),
    fall: random.uniform(-0.05, 0.3),
    scale: isHigh ? random.uniform(1.04, 1.18) : random.uniform(0.92, 1.05),
    pace: random.uniform(0.7, 1.3),
    breath: random.uniform(0.01, 0.12),
    openQuotient: random.uniform(0.45, 0.75),
    tilt: random.uniform(0.1, 0.7),
    damping: random.uniform(0.8, 1.4),
    transition: random.uniform(0.03, 0.06),
    source: "glottal",
    habits: drawHabits(random, 0.14, [1, 1, 1]),
  };
}

/** `spread`: how far single sounds are from `centre` at the most. */
function drawHabits(random: Random, spread: number, centre: Formants): ReadonlyMap<PhonemeName, Formants> {
  const names = Object.keys(PHONEMES) as PhonemeName[];
  const around = (middle: number): number => middle * random.uniform(1 - spread, 1 + spread);
  return new Map(names.map(name => [name, [around(centre[0]), around(centre[1]), around(centre[2])]]));
}
