import type { Random } from "../../random.ts";
import type { ObjectClass } from "../frame.ts";
import { type Drawing, ellipse, polygon, rect, ring, stroke } from "./shapes.ts";

/** Draws one of a class, seen from the side and heading to the right. Lengths are decimetres, more or less. */
export const ROAD_USERS: Readonly<Record<ObjectClass, (random: Random) => Drawing>> = {
  car: random => car(random, false),
  taxi: random => car(random, true),
  van: random => van(random, false),
  ambulance: random => van(random, true),
  truck,
  bus,
  motorcycle,
  bicycle,
  pedestrian,
};

/** Paint, glass and rubber of one vehicle. */
interface Finish {
  readonly body: number;
  readonly glass: number;
  readonly tyre: number;
  readonly hub: number;
}

function drawFinish(random: Random): Finish {
  const body = random.uniform(25, 245);
  return {
    body,
    glass: random.chance(0.7) ? random.uniform(15, 70) : random.uniform(150, 220),
    tyre: random.uniform(5, 45),
    hub: random.uniform(60, 200),
  };
}

function wheel(x: number, bottom: number, radius: number, { tyre, hub }: Finish): string {
  return (
    ellipse(x, bottom - radius, radius, radius, tyre) + ellipse(x, bottom - radius, radius * 0.5, radius * 0.5, hub)
  );
}

/** A taxi is a car with a sign on its roof. */
function car(random: Random, isTaxi: boolean): Drawing {
  const finish = drawFinish(random);
  const sign = isTaxi ? random.uniform(2.2, 3) : 0;
  const width = random.uniform(38, 45);
  const roof = sign;
  const height = random.uniform(14, 16.5) + sign;
  const radius = random.uniform(2.8, 3.5);
  const waist = roof + (height - roof) * random.uniform(0.4, 0.48);
  const bottom = height - radius * 0.8;
  // Saloon, hatchback or estate, by where the roof ends.
  const rear = width * random.uniform(0.02, 0.2);
  const front = width * random.uniform(0.72, 0.8);
  const roofLeft = rear + width * random.uniform(0.04, 0.12);
  const roofRight = front - width * random.uniform(0.12, 0.2);
  const pillar = (roofLeft + roofRight) / 2;
  const glassTop = roof + 1.2;
  const parts = [
    polygon([rear, waist, roofLeft, roof, roofRight, roof, front, waist], finish.body),
    rect(0, waist - 0.2, width, bottom - waist, finish.body, 1.8),
    polygon([rear + 2.2, waist, roofLeft + 0.8, glassTop, pillar - 0.7, glassTop, pillar - 0.7, waist], finish.glass),
    polygon([pillar + 0.7, waist, pillar + 0.7, glassTop, roofRight - 0.6, glassTop, front - 2.2, waist], finish.glass),
    wheel(width * random.uniform(0.17, 0.22), height, radius, finish),
    wheel(width * random.uniform(0.78, 0.83), height, radius, finish),
  ];
  if (isTaxi) {
    const signWidth = random.uniform(5.5, 8);
    parts.push(rect(pillar - signWidth / 2, 0, signWidth, sign + 0.4, finish.body > 128 ? 20 : 245, 0.6));
  }
  return { width, height, svg: parts.join("") };
}

/** An ambulance is a van with a beacon, a stripe and a cross. */
function van(random: Random, isAmbulance: boolean): Drawing {
  const finish = isAmbulance ? { ...drawFinish(random), body: random.uniform(180, 250) } : drawFinish(random);
  const beacon = isAmbulance ? random.uniform(1.6, 2.4) : 0;
  const width = random.uniform(44, 54);
  const height = random.uniform(20, 24) + beacon;
  const radius = random.uniform(3, 3.6);
  const bottom = height - radius * 0.8;
  const nose = width * random.uniform(0.84, 0.92);
  const hood = beacon + (bottom - beacon) * random.uniform(0.45, 0.6);
  const windscreen = nose - width * random.uniform(0.08, 0.14);
  const glassBottom = beacon + (bottom - beacon) * 0.46;
  const parts = [
    polygon([0, beacon, windscreen, beacon, nose, hood, width, hood + 1.5, width, bottom, 0, bottom], finish.body),
    polygon(
      [width * 0.66, beacon + 2, windscreen - 0.6, beacon + 2, nose - 1.4, glassBottom, width * 0.66, glassBottom],
      finish.glass,
    ),
    wheel(width * random.uniform(0.17, 0.23), height, radius, finish),
    wheel(width * random.uniform(0.76, 0.82), height, radius, finish),
  ];
  if (isAmbulance) {
    const mark = random.uniform(20, 110);
    const size = random.uniform(2.4, 3.4);
    const x = width * random.uniform(0.25, 0.4);
    const y = glassBottom - 1;
    parts.push(rect(windscreen - 9, 0, 5, beacon + 0.3, random.uniform(10, 60), 0.5));
    parts.push(rect(0, glassBottom + 3.4, width * 0.97, 1.8, mark));
    parts.push(rect(x - size, y - size / 3, 2 * size, (2 * size) / 3, mark));
    parts.push(rect(x - size / 3, y - size, (2 * size) / 3, 2 * size, mark));
  } else if (random.chance(0.35)) {
    parts.push(rect(width * 0.12, beacon + 3, width * 0.5, glassBottom - beacon - 3, finish.glass, 0.5));
  }
  return { width, height, svg: parts.join("") };
}

function truck(random: Random): Drawing {
  const finish = drawFinish(random);
  const width = random.uniform(62, 78);
  const height = random.uniform(26, 32);
  const radius = random.uniform(3.4, 4);
  const cab = width * random.uniform(0.18, 0.24);
  const gap = random.uniform(1, 3);
  const box = width - cab - gap;
  const bed = height - radius * 1.7;
  const cabTop = height * random.uniform(0.12, 0.35);
  // Some carry a box, some a load under no roof.
  const isOpen = random.chance(0.25);
  const boxTop = isOpen ? height * 0.4 : 0;
  const load = random.uniform(25, 245);
  const parts = [
    rect(0, bed - 0.5, width - 1, 2, 35),
    rect(0, boxTop, box, bed - boxTop, load),
    rect(width - cab, isOpen ? 0 : cabTop, cab, height - radius * 0.9 - (isOpen ? 0 : cabTop), finish.body, 1.5),
    rect(width - cab * 0.7, (isOpen ? 0 : cabTop) + 2, cab * 0.6, height * 0.22, finish.glass, 0.6),
    wheel(width * 0.1, height, radius, finish),
    wheel(width * 0.1 + 2.4 * radius, height, radius, finish),
    wheel(width - cab * 0.55, height, radius, finish),
  ];
  if (isOpen) parts.push(ellipse(box / 2, boxTop, box * 0.36, height * 0.16, load * 0.7 + 40));
  return { width, height, svg: parts.join("") };
}

function bus(random: Random): Drawing {
  const finish = drawFinish(random);
  const width = random.uniform(80, 100);
  const height = random.uniform(26, 31);
  const radius = random.uniform(3.4, 4);
  const bottom = height - radius * 0.8;
  const windows = random.integer(5, 8);
  const step = (width - 6) / windows;
  const top = height * random.uniform(0.12, 0.2);
  const glassHeight = height * random.uniform(0.28, 0.38);
  const parts = [rect(0, 0, width, bottom, finish.body, 2)];
  for (let i = 0; i < windows; i++) parts.push(rect(3 + i * step, top, step - 1.6, glassHeight, finish.glass, 0.5));
  if (random.chance(0.5)) parts.push(rect(0, top + glassHeight + 2, width, 1.6, random.uniform(20, 240)));
  parts.push(rect(width - 9 - step, top, 6, bottom - top - 1.5, finish.glass, 0.5));
  parts.push(wheel(width * 0.2, height, radius, finish), wheel(width * 0.78, height, radius, finish));
  return { width, height, svg: parts.join("") };
}

/** Trousers, coat and head, and where they are. */
function rider(random: Random, hip: readonly [number, number], hands: readonly [number, number]): string {
  const clothes = random.uniform(20, 235);
  const shoulder = [hip[0] + random.uniform(2.5, 4), hip[1] - 6.2] as const;
  const knee = [hip[0] + 3.2, hip[1] + 2.4] as const;
  return [
    stroke([...hip, ...shoulder], 2.8, clothes),
    stroke([...shoulder, ...hands], 1.2, clothes),
    stroke([...hip, ...knee, hip[0] + 1.8, hip[1] + 6], 1.7, clothes * 0.6),
    ellipse(shoulder[0] + 0.8, shoulder[1] - 1.9, 1.7, 1.8, random.uniform(30, 220)),
  ].join("");
}

function motorcycle(random: Random): Drawing {
  const finish = drawFinish(random);
  const width = random.uniform(20, 24);
  const height = random.uniform(16, 18);
  const radius = random.uniform(3.2, 3.8);
  const axle = height - radius;
  const right = width - radius;
  const seat = [width * 0.4, height - 7.2] as const;
  const handle = [width * 0.7, height - 9.5] as const;
  const parts = [
    wheel(radius, height, radius, finish),
    wheel(right, height, radius, finish),
    polygon(
      [radius, axle, seat[0], seat[1], handle[0], handle[1] + 1.5, right - 1.5, axle - 2, width * 0.5, height - 1.8],
      finish.body,
    ),
    stroke([right, axle, ...handle], 1.1, 60),
    rider(random, [seat[0], seat[1] - 0.6], handle),
  ];
  return { width, height, svg: parts.join("") };
}

function bicycle(random: Random): Drawing {
  const width = random.uniform(17, 20);
  const height = random.uniform(17, 19);
  const radius = random.uniform(3.3, 3.9);
  const axle = height - radius - 0.4;
  const level = random.uniform(10, 230);
  const left = radius + 0.4;
  const right = width - radius - 0.4;
  const seat = [width * 0.38, height - 8.6] as const;
  const handle = [width * 0.72, height - 9] as const;
  const crank = [width * 0.48, axle] as const;
  const parts = [
    ring(left, axle, radius, 0.8, level * 0.5),
    ring(right, axle, radius, 0.8, level * 0.5),
    stroke([left, axle, ...crank, ...seat, left, axle], 0.7, level),
    stroke([...crank, handle[0] - 0.8, handle[1] + 1.6, seat[0], seat[1] + 1.4], 0.7, level),
    stroke([right, axle, ...handle], 0.7, level),
    rider(random, [seat[0], seat[1] - 0.5], handle),
  ];
  return { width, height, svg: parts.join("") };
}

function pedestrian(random: Random): Drawing {
  const height = random.uniform(16, 18.5);
  const stride = random.uniform(0.8, 3.2);
  const width = 4 + stride;
  const middle = width / 2;
  const hip = height * random.uniform(0.48, 0.54);
  const shoulder = height * 0.24;
  const coat = random.uniform(20, 240);
  const legs = random.uniform(20, 200);
  const parts = [
    stroke([middle, hip, middle - stride / 2, height * 0.76, middle - stride / 2 - 0.6, height - 0.8], 1.7, legs),
    stroke([middle, hip, middle + stride / 2, height * 0.74, middle + stride / 2 + 0.4, height - 0.8], 1.7, legs),
    stroke([middle, shoulder, middle + stride * 0.5, height * 0.4, middle + stride * 0.7, hip], 1.2, coat * 0.85),
    rect(middle - 1.9, shoulder - 1, 3.8, hip - shoulder + 2, coat, 1.5),
    ellipse(middle + 0.2, 1.9, 1.7, 1.9, random.uniform(40, 220)),
  ];
  if (random.chance(0.3)) parts.push(rect(0, hip - 3, 2.6, 3.4, random.uniform(20, 240), 0.5));
  return { width, height, svg: parts.join("") };
}
