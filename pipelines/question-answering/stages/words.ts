/** A word, a number or a mark of punctuation, and where it stands in its text. */
export interface Word {
  readonly text: string;
  /** First character, and the one after the last. */
  readonly start: number;
  readonly end: number;
}

/** Letters and digits with what joins them (3,420; o'clock), or any other character alone. */
const WORD = /[\p{L}\p{N}\p{M}]+(?:[.,'’-][\p{L}\p{N}\p{M}]+)*|[^\s\p{L}\p{N}\p{M}]/gu;

/** The words of a text, in their order. */
export function wordsOf(text: string): readonly Word[] {
  return Array.from(text.matchAll(WORD), ({ 0: word, index }) => ({
    text: word,
    start: index,
    end: index + word.length,
  }));
}
