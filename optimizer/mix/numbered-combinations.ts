import type { Stage } from "../../domain/pipeline.ts";
import type { AccuracyModel } from "../accuracy.ts";

/** Beyond so many combinations those that were asked for are kept, not a place for each. */
const MOST_PLACES = 2 ** 18;

/**
 * Combinations of one variant of each stage, by the numbers of the variants in the order of the file: reading what is known of one is much quicker than
 * by their names. The number behind the last variant stands for none.
 */
export class NumberedCombinations {
  private readonly names: readonly (readonly string[])[];
  private readonly numbers: readonly ReadonlyMap<string, number>[];
  private readonly count: number;
  private readonly accuracies: Map<number | string, number> | Float64Array;
  private readonly model: AccuracyModel;

  constructor(stages: readonly Stage[], model: AccuracyModel) {
    this.model = model;
    this.names = stages.map(({ variants }) => variants.map(({ name }) => name));
    this.numbers = this.names.map(names => new Map(names.map((name, number) => [name, number])));
    this.count = this.names.reduce((product, names) => product * (names.length + 1), 1);
    this.accuracies = this.count <= MOST_PLACES ? new Float64Array(this.count).fill(Number.NaN) : new Map();
  }

  readNumber(stage: number, name: string | undefined): number {
    return this.numbers[stage]?.get(name ?? "") ?? this.names[stage]?.length ?? 0;
  }

  /** A key that no other combination has. */
  toKey(numbers: readonly number[]): number | string {
    if (this.count > Number.MAX_SAFE_INTEGER) return numbers.join();
    let key = 0;
    for (let s = 0; s < this.names.length; s++)
      key = key * ((this.names[s] as readonly string[]).length + 1) + (numbers[s] as number);
    return key;
  }

  readAccuracy(numbers: readonly number[]): number {
    const key = this.toKey(numbers);
    const known = this.accuracies instanceof Map ? this.accuracies.get(key) : this.accuracies[key as number];
    if (known !== undefined && !Number.isNaN(known)) return known;
    const accuracy = this.model.of(this.names.map((names, s) => names[numbers[s] as number] ?? ""));
    if (this.accuracies instanceof Map) this.accuracies.set(key, accuracy);
    else this.accuracies[key as number] = accuracy;
    return accuracy;
  }
}
