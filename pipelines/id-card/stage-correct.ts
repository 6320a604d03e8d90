import { type CardLabel, FIELDS, type PlacedText } from "./card.ts";
import type { CardContext } from "./context.ts";
import { boundsOf, type Quad } from "./quad.ts";
import { assembleFields } from "./stages/field-assembly.ts";

/** Every field was found. */
export function isDetectionRight({ regions }: CardContext, label: CardLabel): boolean {
  return FIELDS.every(field => regions.some(({ quad }) => isRegionOf(quad, label.fields[field], label)));
}

/**
 * Every field comes out that does when the same regions are read without a mistake. A field that was not found is the mistake of
 * detection, and so is one that can't be told from another without a caption that was not found.
 */
export function isRecognitionRight({ regions, lines }: CardContext, label: CardLabel): boolean {
  if (lines.length !== regions.length) return false;
  const texts = textsOf(label);
  const faultless = lines.map(line => ({
    ...line,
    text: texts.find(text => isRegionOf(line.quad, text, label))?.text ?? line.text,
  }));
  const read = assembleFields(lines);
  const readable = assembleFields(faultless);
  return FIELDS.every(field => {
    const { text } = label.fields[field];
    return readable[field] !== text || read[field] === text;
  });
}

function textsOf(label: CardLabel): readonly PlacedText[] {
  return [...FIELDS.map(field => label.fields[field]), ...label.others];
}

/** A region is that of a text when it covers its ink but for a sixth of its height, and no other text. */
function isRegionOf(quad: Quad, text: PlacedText, label: CardLabel): boolean {
  const region = boundsOf(quad);
  const ink = boundsOf(text.quad);
  const slack = (text.quad[7] - text.quad[1]) / 6;
  const covers =
    region.left <= ink.left + slack &&
    region.right >= ink.right - slack &&
    region.top <= ink.top + slack &&
    region.bottom >= ink.bottom - slack;
  return covers && !textsOf(label).some(other => other !== text && isInside(region, other));
}

function isInside(region: ReturnType<typeof boundsOf>, text: PlacedText): boolean {
  const ink = boundsOf(text.quad);
  const x = (ink.left + ink.right) / 2;
  const y = (ink.top + ink.bottom) / 2;
  return x > region.left && x < region.right && y > region.top && y < region.bottom;
}
