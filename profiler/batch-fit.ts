/** A service time at one batch size. */
export interface FitPoint {
  readonly batch: number;
  readonly latencyMs: number;
}

/** Service time = `fixedMs` + `rowMs` · batch, and how far what was measured is from it and from a time that never falls. */
export interface BatchFit {
  readonly fixedMs: number;
  readonly rowMs: number;
  /** The largest distance of a measured time from the line, as a share of the measured time. */
  readonly largestResidual: number;
  /** The same from the never-falling times, which plans are made of. */
  readonly isotonicResidual: number;
}

/**
 * The line with the least sum of squared relative distances, so that small batches count as much as large ones. `fixedMs` is below 0
 * where a row takes longer in a larger batch.
 *
 * Worked example: 3, 4 and 6 ms at 1, 2 and 4 rows are 2 ms + 1 ms a row, residual 0.
 *
 * @param measured before it was made never falling. @param isotonic the same, after.
 * @returns undefined for fewer than two batch sizes.
 */
export function batchFitOf(measured: readonly FitPoint[], isotonic: readonly number[]): BatchFit | undefined {
  if (measured.length < 2) return undefined;
  let [weights, batches, squares, times, products] = [0, 0, 0, 0, 0];
  for (const { batch, latencyMs } of measured) {
    const weight = 1 / latencyMs ** 2;
    weights += weight;
    batches += weight * batch;
    squares += weight * batch ** 2;
    times += weight * latencyMs;
    products += weight * batch * latencyMs;
  }
  const rowMs = (weights * products - batches * times) / (weights * squares - batches ** 2);
  const fixedMs = (times - rowMs * batches) / weights;
  return {
    fixedMs,
    rowMs,
    largestResidual: largest(measured, ({ batch }) => fixedMs + rowMs * batch),
    isotonicResidual: largest(measured, ({ latencyMs }, i) => isotonic[i] ?? latencyMs),
  };
}

function largest(measured: readonly FitPoint[], fitted: (point: FitPoint, index: number) => number): number {
  return Math.max(...measured.map((point, i) => Math.abs(fitted(point, i) / point.latencyMs - 1)));
}
