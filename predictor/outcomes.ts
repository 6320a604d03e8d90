import type { Quantiles } from "./quantiles.ts";

/** What one forecaster said at one horizon and what came, origin by origin: columns of the same length, times rising. */
export class Outcomes {
  /** Of the forecast. */
  readonly atMs: number[] = [];
  /** The highest rate within the horizon that did come. */
  readonly actualRps: number[] = [];
  readonly medianRps: number[] = [];
  readonly q90Rps: number[] = [];
  readonly q95Rps: number[] = [];

  get length(): number {
    return this.atMs.length;
  }

  add(atMs: number, actualRps: number, peakRps: Quantiles): void {
    this.atMs.push(atMs);
    this.actualRps.push(actualRps);
    this.medianRps.push(peakRps[0] as number);
    this.q90Rps.push(peakRps[1] as number);
    this.q95Rps.push(peakRps[2] as number);
  }
}
