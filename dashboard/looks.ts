import { svg } from "./element.ts";

/** How lines over time look, told apart by more than their colour: a property of colours.css, and lengths of dashes and gaps in pixels. */
export const LOOKS = {
  one: { colour: "--one", dash: [] },
  two: { colour: "--two", dash: [2, 3] },
  three: { colour: "--three", dash: [7, 3] },
  four: { colour: "--bad", dash: [10, 3, 2, 3] },
  five: { colour: "--one", dash: [1, 2] },
  level: { colour: "--bad", dash: [1, 3] },
} as const;
export const BAND_COLOUR = "--band";
export const LINE_WIDTH = 1.6;

export type Look = keyof typeof LOOKS;

/** What a property of colours.css is now: light and dark have others. A canvas knows no properties. */
export function colourNow(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property);
}

/** The mark of a line before its name. */
export function lineMark(look: Look): SVGElement {
  const { colour, dash } = LOOKS[look];
  const line = svg("path", {
    d: "M0 5H18",
    stroke: `var(${colour})`,
    "stroke-width": LINE_WIDTH,
    "stroke-dasharray": dash.join(" ") || "none",
  });
  return mark(line);
}

export function bandMark(): SVGElement {
  return mark(svg("rect", { y: 1, width: 18, height: 8, fill: `var(${BAND_COLOUR})` }));
}

function mark(shape: SVGElement): SVGElement {
  return svg("svg", { width: 18, height: 10, "aria-hidden": "true" }, shape);
}
