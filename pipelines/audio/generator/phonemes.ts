/** Frequencies of the first three resonances of a vocal tract of 17 cm, hertz. */
export type Formants = readonly [number, number, number];

/** A sound, as it is made: what drives the vocal tract, and how the tract stands. */
export interface Phoneme {
  readonly ms: number;
  /** Null: the tract is on its way to the next sound. */
  readonly formants: Formants | null;
  /** Where the tract is at the end: a diphthong. */
  readonly glide?: Formants;
  /** Strength of the voice, of breath through the tract and of noise made at the lips or teeth; 0 to 1. */
  readonly voice?: number;
  readonly breath?: number;
  readonly hiss?: number;
  /** Middle and width of that noise, hertz. */
  readonly band?: readonly [number, number];
  /** The tract is closed first, for so long; then this is its burst. */
  readonly closureMs?: number;
  /** The voice goes on through the closure. */
  readonly isVoiced?: boolean;
}

const vowel = (ms: number, formants: Formants, glide?: Formants): Phoneme => ({
  ms,
  formants,
  voice: 1,
  ...(glide && { glide }),
});
const consonant = (ms: number, voice: number, formants: Formants): Phoneme => ({ ms, formants, voice });
const plosive = (locus: Formants, band: readonly [number, number], isVoiced: boolean): Phoneme => ({
  ms: isVoiced ? 12 : 18,
  formants: locus,
  hiss: isVoiced ? 0.5 : 0.8,
  band,
  closureMs: isVoiced ? 45 : 60,
  isVoiced,
});
const fricative = (ms: number, hiss: number, band: readonly [number, number], locus: Formants, voice = 0): Phoneme => ({
  ms,
  formants: locus,
  hiss,
  band,
  voice,
});

/** Formants of American English vowels after Peterson and Barney (1952), loci of consonants after Klatt (1980), both rounded. */
export const PHONEMES = {
  iy: vowel(150, [290, 2250, 2950]),
  ih: vowel(100, [400, 1950, 2550]),
  ae: vowel(170, [680, 1680, 2450]),
  ah: vowel(120, [630, 1200, 2450]),
  aa: vowel(170, [730, 1110, 2450]),
  ao: vowel(160, [560, 860, 2420]),
  uw: vowel(170, [310, 930, 2250]),
  schwa: vowel(60, [500, 1400, 2450]),
  ay: vowel(220, [720, 1250, 2500], [390, 1980, 2600]),
  aw: vowel(220, [720, 1300, 2500], [400, 900, 2350]),
  ow: vowel(190, [530, 1000, 2400], [370, 820, 2300]),
  w: consonant(60, 0.5, [300, 650, 2200]),
  r: consonant(70, 0.55, [360, 1150, 1600]),
  l: consonant(70, 0.5, [360, 1050, 2700]),
  m: consonant(80, 0.3, [270, 1000, 2150]),
  n: consonant(80, 0.3, [270, 1550, 2500]),
  p: plosive([300, 800, 2150], [900, 900], false),
  t: plosive([300, 1750, 2700], [3300, 900], false),
  k: plosive([300, 1950, 2350], [1900, 500], false),
  b: plosive([300, 800, 2150], [700, 800], true),
  d: plosive([300, 1700, 2700], [3100, 900], true),
  h: { ms: 70, formants: null, breath: 0.35 },
  f: fricative(100, 0.3, [2300, 2600], [340, 1000, 2100]),
  v: fricative(60, 0.14, [2000, 2600], [320, 1050, 2100], 0.35),
  th: fricative(90, 0.24, [2900, 2000], [320, 1350, 2550]),
  s: fricative(120, 0.6, [3600, 700], [320, 1500, 2550]),
  z: fricative(90, 0.35, [3600, 700], [320, 1500, 2550], 0.25),
} as const satisfies Readonly<Record<string, Phoneme>>;

export type PhonemeName = keyof typeof PHONEMES;
