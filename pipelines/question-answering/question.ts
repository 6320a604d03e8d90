/** What is known exactly about a generated question. */
export interface QuestionLabel {
  /** Index of the passage that holds the answer. */
  readonly passage: number;
  readonly answer: string;
}

/** Longer questions are refused. In characters. */
export const MAX_QUESTION_LENGTH = 1000;
