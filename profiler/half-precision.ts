/** @returns the number that 16 bits of IEEE 754 binary16 are: sign, 5 of exponent, 10 of fraction. */
export function halfOf(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 2 ** 10) * 2 ** (exponent - 15);
}

/** @returns the number that 16 bits of bfloat16 are: the upper half of an IEEE 754 binary32. */
export function brainOf(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}
