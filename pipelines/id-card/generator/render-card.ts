import { createRandom } from "../../random.ts";
import { drawFace } from "./card-face.ts";
import { drawFields } from "./card-text.ts";
import { loadTypefaces, type Typefaces } from "./fonts.ts";
import { type CardPhoto, type Condition, photograph } from "./photograph.ts";

/** Draws and photographs the card of a seed; the same seed and condition give the same photo. */
export type CardRenderer = (seed: number, condition?: Condition) => Promise<CardPhoto>;

/**
 * Makes ready to render cards.
 * @throws VariscaleError `failed_precondition` where the typefaces are not installed.
 */
export function openCardRenderer(): CardRenderer {
  const typefaces = loadTypefaces();
  return (seed, condition) => renderCard(seed, typefaces, condition);
}

function renderCard(seed: number, typefaces: Typefaces, condition: Condition = "usual"): Promise<CardPhoto> {
  const random = createRandom(seed);
  const fields = drawFields(random);
  return photograph(random, drawFace(random, typefaces, fields), condition);
}
