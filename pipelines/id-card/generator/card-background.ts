import type { Random } from "../../random.ts";

/** Pixels of a card before it is photographed: ID-1 proportions. */
export const CARD_WIDTH = 560;
export const CARD_HEIGHT = 352;

/** A red, green, blue colour as SVG writes it. */
function rgb(red: number, green: number, blue: number): string {
  return `rgb(${Math.round(red)},${Math.round(green)},${Math.round(blue)})`;
}

/** A colour whose channels are drawn one by one from [low, high]. */
export function drawColour(random: Random, low: number, high: number): string {
  return rgb(random.uniform(low, high), random.uniform(low, high), random.uniform(low, high));
}

/** Paper, tint and guilloche: what the text has to be told apart from. */
export function drawBackground(random: Random): string {
  const from = drawColour(random, 195, 248);
  const to = drawColour(random, 185, 245);
  const angle = random.integer(0, 90);
  const parts = [
    `<defs><linearGradient id="paper" gradientTransform="rotate(${angle})">`,
    `<stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient></defs>`,
    `<rect width="${CARD_WIDTH}" height="${CARD_HEIGHT}" fill="url(#paper)"/>`,
  ];
  const families = random.integer(1, 3);
  for (let family = 0; family < families; family++) parts.push(drawWaves(random));
  parts.push(drawRosette(random));
  return parts.join("");
}

/** A family of parallel waves across the card. */
function drawWaves(random: Random): string {
  const colour = drawColour(random, 110, 210);
  const amplitude = random.uniform(4, 16);
  const length = random.uniform(60, 220);
  const gap = random.uniform(7, 16);
  const shift = random.uniform(0, 2 * Math.PI);
  const slope = random.uniform(-0.3, 0.3);
  const lines: string[] = [];
  for (let offset = -80; offset < CARD_HEIGHT + 80; offset += gap) {
    const points: string[] = [];
    for (let x = 0; x <= CARD_WIDTH; x += 8) {
      const y = offset + slope * x + amplitude * Math.sin((2 * Math.PI * x) / length + shift + offset / 40);
      points.push(`${x},${y.toFixed(1)}`);
    }
    lines.push(`<polyline points="${points.join(" ")}"/>`);
  }
  const width = random.uniform(0.5, 1.1).toFixed(2);
  const opacity = random.uniform(0.25, 0.75).toFixed(2);
  return `<g fill="none" stroke="${colour}" stroke-width="${width}" opacity="${opacity}">${lines.join("")}</g>`;
}

/** One rosette of the kind that security printers use. */
function drawRosette(random: Random): string {
  const centreX = random.uniform(120, CARD_WIDTH - 60);
  const centreY = random.uniform(80, CARD_HEIGHT - 60);
  const radius = random.uniform(40, 110);
  const petals = random.integer(5, 13);
  const points: string[] = [];
  for (let step = 0; step <= 360; step++) {
    const turn = (step / 360) * 2 * Math.PI;
    const reach = radius * (0.6 + 0.4 * Math.cos(petals * turn));
    points.push(`${(centreX + reach * Math.cos(turn)).toFixed(1)},${(centreY + reach * Math.sin(turn)).toFixed(1)}`);
  }
  const opacity = random.uniform(0.2, 0.6).toFixed(2);
  return `<polyline points="${points.join(" ")}" fill="none" stroke="${drawColour(random, 100, 200)}" opacity="${opacity}"/>`;
}

/** A portrait as flat shapes; nobody's face. */
export function drawPortrait(random: Random, x: number, y: number): string {
  return [
    `<g transform="translate(${x} ${y})">`,
    `<rect width="134" height="176" fill="${drawColour(random, 120, 205)}"/>`,
    `<rect x="24" y="112" width="86" height="64" rx="26" fill="${drawColour(random, 50, 160)}"/>`,
    `<ellipse cx="67" cy="70" rx="${random.integer(29, 36)}" ry="${random.integer(37, 44)}" fill="${drawColour(random, 150, 230)}"/>`,
    `<path d="M33 62 Q67 ${random.integer(2, 24)} 101 62 L101 48 Q67 -8 33 48 Z" fill="${drawColour(random, 20, 130)}"/>`,
    "</g>",
  ].join("");
}
