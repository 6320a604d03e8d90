import type { Random } from "../../random.ts";
import { FRAME_HEIGHT, FRAME_WIDTH } from "../frame.ts";
import { ellipse, polygon, rect, stroke } from "./shapes.ts";

/** Sky, houses, trees and a road; and things that stand about and are none of the classes. SVG elements. */
export function drawStreet(random: Random): string {
  const horizon = FRAME_HEIGHT * random.uniform(0.15, 0.45);
  const ground = random.uniform(60, 170);
  const parts = [
    rect(0, 0, FRAME_WIDTH, horizon + 1, random.uniform(120, 235)),
    ...drawHouses(random, horizon),
    rect(0, horizon, FRAME_WIDTH, FRAME_HEIGHT - horizon, ground),
    ...drawRoads(random, horizon, ground),
  ];
  for (let i = random.integer(0, 5); i > 0; i--) parts.push(drawTree(random, horizon));
  for (let i = random.integer(4, 12); i > 0; i--) parts.push(drawClutter(random, horizon));
  return parts.join("");
}

/** What stands before the objects and hides a part of them: poles and a railing. SVG elements. */
export function drawForeground(random: Random): string {
  const parts: string[] = [];
  for (let i = random.integer(0, 2); i > 0; i--) {
    const x = random.uniform(0, FRAME_WIDTH);
    parts.push(rect(x, 0, random.uniform(1.5, 4.5), FRAME_HEIGHT, random.uniform(20, 200)));
  }
  if (random.chance(0.25)) {
    const y = FRAME_HEIGHT * random.uniform(0.55, 0.95);
    parts.push(rect(0, y, FRAME_WIDTH, random.uniform(1.5, 3), random.uniform(20, 200)));
  }
  return parts.join("");
}

function drawHouses(random: Random, horizon: number): string[] {
  const parts: string[] = [];
  for (let x = random.uniform(-40, 10); x < FRAME_WIDTH; ) {
    const width = random.uniform(30, 90);
    const height = horizon * random.uniform(0.3, 1);
    const wall = random.uniform(50, 200);
    parts.push(rect(x, horizon - height, width, height, wall));
    const pane = random.chance(0.5) ? wall * 0.5 : wall * 0.6 + 95;
    const step = random.uniform(9, 16);
    for (let left = x + 4; left < x + width - 6; left += step)
      for (let top = horizon - height + 5; top < horizon - 8; top += step * 1.2)
        parts.push(rect(left, top, step * 0.5, step * 0.65, pane));
    x += width + random.uniform(0, 30);
  }
  return parts;
}

function drawRoads(random: Random, horizon: number, ground: number): string[] {
  const parts: string[] = [];
  for (let i = random.integer(1, 2); i > 0; i--) {
    const top = random.uniform(horizon, FRAME_HEIGHT - 30);
    const height = random.uniform(25, 80);
    const tilt = random.uniform(-12, 12);
    const road = ground + random.uniform(-45, 25);
    const edge = [0, top + tilt, FRAME_WIDTH, top - tilt, FRAME_WIDTH, top - tilt + height, 0, top + tilt + height];
    parts.push(polygon(edge, road));
    const line = random.uniform(150, 245);
    const middle = top + height / 2;
    const dash = random.uniform(10, 24);
    for (let x = random.uniform(-20, 0); x < FRAME_WIDTH; x += 2 * dash) {
      const y = middle + tilt * (1 - (2 * x) / FRAME_WIDTH);
      parts.push(rect(x, y, dash, random.uniform(1.2, 2.5), line));
    }
  }
  return parts;
}

function drawTree(random: Random, horizon: number): string {
  const x = random.uniform(0, FRAME_WIDTH);
  const bottom = random.uniform(horizon, FRAME_HEIGHT);
  const size = random.uniform(8, 24);
  const leaves = random.uniform(30, 120);
  const parts = [rect(x - size / 10, bottom - size * 1.6, size / 5, size * 1.6, random.uniform(30, 90))];
  for (let i = 0; i < 5; i++) {
    const level = leaves + random.uniform(-18, 18);
    parts.push(
      ellipse(
        x + random.uniform(-0.5, 0.5) * size,
        bottom - size * random.uniform(1.3, 2.2),
        size * random.uniform(0.35, 0.6),
        size * random.uniform(0.3, 0.5),
        level,
      ),
    );
  }
  return parts.join("");
}

/** Bins, boxes, signs, shadows and puddles: of about the size of the objects. */
function drawClutter(random: Random, horizon: number): string {
  const x = random.uniform(0, FRAME_WIDTH);
  const y = random.uniform(horizon * 0.8, FRAME_HEIGHT);
  const size = random.uniform(6, 30);
  const level = random.uniform(15, 240);
  const other = random.uniform(15, 240);
  switch (random.integer(0, 5)) {
    case 0:
      return rect(x, y, size, size * random.uniform(0.4, 1.6), level, 1.5) + rect(x, y, size, size * 0.2, other);
    case 1:
      return rect(x - 0.7, y, 1.4, size * 1.5, 50) + ellipse(x, y, size / 4, size / 4, level);
    case 2:
      return (
        rect(x - 0.7, y, 1.4, size * 1.5, 50) +
        polygon([x, y - size / 3, x + size / 3, y + size / 4, x - size / 3, y + size / 4], level)
      );
    case 3:
      return ellipse(x, y, size * random.uniform(0.6, 1.4), size * random.uniform(0.1, 0.3), level * 0.5);
    case 4:
      return stroke([x, y, x + random.uniform(-30, 30), y + random.uniform(-15, 15)], random.uniform(0.8, 3), level);
    default:
      return rect(x, y, size * 1.6, size * 0.5, level, 1) + ellipse(x + 3, y + size * 0.5, 3, 3, other);
  }
}
