import { setNewest } from "../domain/serving/set-newest.ts";
import type { HttpRequest } from "../runtime/http-server.ts";
import { readVisible } from "./answer.ts";
import { findBroken } from "./signals.ts";
import type { PipelineCode } from "./stage.ts";

/** Earlier requests are kept of so many sequences, so many of each, with so many characters of JSON each. */
export const MOST_SEQUENCES = 1000;
const MOST_REQUESTS = 2;
const MOST_CHARACTERS = 4096;
/** A request whose number is so far below the last one at most was overtaken or sent again; from further below the sequence has begun anew. */
const MOST_BEHIND = 3;

/** Where a request stands in a sequence, as one frame of a camera. */
export interface SequencePlace {
  readonly id: string;
  /** One more than that of the request before it. */
  readonly number: number;
}

interface Kept {
  readonly number: number;
  /** JSON, newest first. */
  readonly memories: readonly string[];
}

/** Holds requests against those before them in their sequence. */
export class SequenceMemory {
  readonly #sequences: PipelineCode["sequences"];
  /** By id of the sequence; the one that was quiet for longest is the first. */
  readonly #kept = new Map<string, Kept>();

  constructor(code: PipelineCode) {
    this.#sequences = code.sequences;
  }

  /**
   * Once all stages of a request have been collected: the names of the assertions that do not hold of it and of those before it. One that
   * throws does not hold. Null: nothing is known of the request before it, as after a gap or where requests overtook each other. One that was overtaken
   * or is sent again is not kept: what is newer stays.
   */
  broken({ id, number }: SequencePlace, context: unknown): readonly string[] | null {
    const sequences = this.#sequences;
    if (!sequences) return null;
    const last = this.#kept.get(id);
    const memories = last?.number === number - 1 ? last.memories : [];
    const read = () => memories.map(json => JSON.parse(json) as unknown);
    const broken = memories.length > 0 ? findBroken(sequences.assertions, holds => holds(context, read())) : null;
    const isBehind = last !== undefined && number <= last.number && number >= last.number - MOST_BEHIND;
    const kept = isBehind ? last : { number, memories: this.#remember(context, memories) };
    setNewest(this.#kept, id, kept, MOST_SEQUENCES);
    return broken;
  }

  /** Nothing where the code throws or would keep too much. */
  #remember(context: unknown, before: readonly string[]): readonly string[] {
    try {
      const json = JSON.stringify(this.#sequences?.remember(context)) ?? "null";
      return json.length > MOST_CHARACTERS ? [] : [json, ...before].slice(0, MOST_REQUESTS);
    } catch {
      return [];
    }
  }
}

/** Reads `x-sequence-id` and `x-sequence-number`; null: the request belongs to no sequence. Text says what is wrong with them. */
export function readSequencePlace(headers: HttpRequest["headers"]): SequencePlace | null | string {
  const { "x-sequence-id": sequence, "x-sequence-number": number } = headers;
  if (sequence === undefined && number === undefined) return null;
  const id = readVisible(sequence);
  if (id !== null && typeof number === "string" && /^[0-9]{1,15}$/.test(number)) return { id, number: Number(number) };
  return "x-sequence-id (128 visible characters at most) and x-sequence-number (a whole number) must come together";
}
