/** The last values of a number of them, in order of size. Adding one moves few of the others where values hardly differ. */
export class RecentValues {
  readonly #count: number;
  /** In a ring: the next one takes the place of the oldest. */
  readonly #values: number[] = [];
  #oldest = 0;
  readonly #sorted: number[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** The middle one, of two the smaller; undefined before the first one. */
  get median(): number | undefined {
    return this.#sorted[(this.#sorted.length - 1) >>> 1];
  }

  get greatest(): number | undefined {
    return this.#sorted[this.#sorted.length - 1];
  }

  add(value: number): void {
    const sorted = this.#sorted;
    let at = sorted.length < this.#count ? sorted.length : sorted.indexOf(this.#values[this.#oldest] as number);
    this.#values[this.#oldest] = value;
    this.#oldest = (this.#oldest + 1) % this.#count;
    for (; at + 1 < sorted.length && (sorted[at + 1] as number) < value; at += 1) sorted[at] = sorted[at + 1] as number;
    for (; at > 0 && (sorted[at - 1] as number) > value; at -= 1) sorted[at] = sorted[at - 1] as number;
    sorted[at] = value;
  }
}
