import type { Random } from "../../random.ts";

/** Interleaved RGB in floating point, 0 to 255 but not clamped, while a photo is being made. */
export interface FloatPhoto {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** A bright spot, as a lamp leaves on laminate. */
export function addGlare(photo: FloatPhoto, random: Random, strength: number): void {
  const { width, height, data } = photo;
  const centreX = random.uniform(0, width);
  const centreY = random.uniform(0, height);
  const column = Float32Array.from({ length: width }, (_, x) => Math.exp(-(((x - centreX) / 140) ** 2)));
  for (let y = 0, at = 0; y < height; y++) {
    const row = strength * Math.exp(-(((y - centreY) / 110) ** 2));
    for (let x = 0; x < width; x++) {
      const light = row * (column[x] ?? 0);
      for (let channel = 0; channel < 3; channel++, at++) data[at] = (data[at] ?? 0) + light;
    }
  }
}

/** Out of focus: a Gaussian of this standard deviation in pixels. */
export function blur(photo: FloatPhoto, sigma: number): void {
  const radius = Math.ceil(2.5 * sigma);
  const kernel = Float32Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  const weights = kernel.map(weight => weight / total);
  convolve(photo, weights, 3, photo.width);
  convolve(photo, weights, 3 * photo.width, photo.height);
}

/** A hand that moved: a box of `length` pixels along one axis. */
export function shake(photo: FloatPhoto, length: number, axis: "horizontal" | "vertical"): void {
  const weights = new Float32Array(length).fill(1 / length);
  if (axis === "horizontal") convolve(photo, weights, 3, photo.width);
  else convolve(photo, weights, 3 * photo.width, photo.height);
}

/** Convolves along the axis whose neighbours are `step` elements apart and which is `count` pixels long; edges repeat. */
function convolve(photo: FloatPhoto, weights: Float32Array, step: number, count: number): void {
  const { data } = photo;
  const radius = weights.length >> 1;
  const line = new Float32Array(count + 2 * radius);
  const lines = data.length / count;
  for (let index = 0; index < lines; index++) {
    const start = step === 3 ? Math.floor(index / 3) * 3 * count + (index % 3) : index;
    for (let i = 0; i < line.length; i++) {
      line[i] = data[start + Math.min(count - 1, Math.max(0, i - radius)) * step] ?? 0;
    }
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap++) sum += (weights[tap] ?? 0) * (line[i + tap] ?? 0);
      data[start + i * step] = sum;
    }
  }
}
