import { CHARACTERS } from "./class-table.ts";

/** What a sequence of classes says, and how sure it is of it. */
export interface Reading {
  readonly text: string;
  /** Mean probability of the characters, 0 to 1; 0 for an empty text. */
  readonly confidence: number;
}

/** Greedy decoding of CTC: runs of a class are one character, blanks separate (Graves et al. 2006, §3.2, best path). */
export function readClasses(classes: Uint8Array, confidence: Float32Array): Reading {
  let text = "";
  let total = 0;
  let previous = 0;
  for (let step = 0; step < classes.length; step++) {
    const now = classes[step] ?? 0;
    if (now !== 0 && now !== previous) {
      text += CHARACTERS[now - 1] ?? "";
      total += confidence[step] ?? 0;
    }
    previous = now;
  }
  return { text: text.trim(), confidence: text.length === 0 ? 0 : total / text.length };
}
