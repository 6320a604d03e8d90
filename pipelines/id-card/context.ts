import type { Photo } from "./card.ts";
import type { Quad } from "./quad.ts";
import type { TextRegion } from "./stages/text-map.ts";

/** A line of text as it was read. */
export interface ReadLine {
  readonly text: string;
  readonly quad: Quad;
  /** Mean probability of the characters, 0 to 1; 0 for an empty line. */
  readonly confidence: number;
}

/** What is known of one request so far: each stage adds its part. */
export interface CardContext {
  readonly photo: Photo;
  /** Set by detection. */
  regions: readonly TextRegion[];
  /** Set by recognition: one line per region, in their order. */
  lines: readonly ReadLine[];
}
