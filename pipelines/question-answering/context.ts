import type { Word } from "./stages/words.ts";

/** A passage that may hold the answer. */
export interface Candidate {
  /** Index of the passage. */
  readonly passage: number;
  /** How sure retrieval is that it is this one, 0 to 1. */
  readonly probability: number;
}

export interface Answer {
  readonly text: string;
  /** Index of the passage that it stands in. */
  readonly passage: number;
  /** 0 to 1. */
  readonly confidence: number;
}

/** What is known of one request so far: each stage adds its part. */
export interface QuestionContext {
  readonly question: string;
  readonly words: readonly Word[];
  /** Set by retrieval, the likeliest first. */
  candidates: readonly Candidate[];
  /** Set by reading; null: none of the candidates holds one. */
  answer: Answer | null;
}
