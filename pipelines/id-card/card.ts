import type { Quad } from "./quad.ts";

/** The fields of a card, in the order in which they are reported. */
export const FIELDS = ["surname", "given", "birth", "number", "expiry"] as const;

export type Field = (typeof FIELDS)[number];

/** What stands on a card: the text of every field. */
export type CardFields = Readonly<Record<Field, string>>;

/** How each field may be captioned on a card. Captions differ enough to be told apart with a few letters misread. */
export const CAPTIONS: Readonly<Record<Field, readonly string[]>> = {
  surname: ["Surname", "Family name"],
  given: ["Given names", "Forenames"],
  birth: ["Date of birth", "Born on"],
  number: ["Document No", "Card number"],
  expiry: ["Date of expiry", "Valid until"],
};

/** A line of text and where it stands in the photo. */
export interface PlacedText {
  readonly text: string;
  readonly quad: Quad;
}

/** What is known exactly about a rendered card. */
export interface CardLabel {
  readonly fields: Readonly<Record<Field, PlacedText>>;
  /** Everything else that is printed: captions and the heading. */
  readonly others: readonly PlacedText[];
}

/** Pixels of the photo that all stages work on. */
export const PHOTO_WIDTH = 640;
export const PHOTO_HEIGHT = 448;

/** Interleaved RGB, row-major, one byte per channel. */
export interface Photo {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
