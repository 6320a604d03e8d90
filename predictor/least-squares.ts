/**
 * The coefficients c that minimise Σ (y − c·x)² + ridge · |c|², from the sums of the normal equations, by Cholesky's decomposition.
 *
 * @param products Σ x xᵀ, rows one after the other.
 * @param moments Σ x y.
 */
export function leastSquares(products: Float64Array, moments: Float64Array, ridge: number): Float64Array {
  const n = moments.length;
  const lower = new Float64Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = at(products, row * n + column) + (row === column ? ridge : 0);
      for (let k = 0; k < column; k++) sum -= at(lower, row * n + k) * at(lower, column * n + k);
      // The ridge keeps every pivot above it, but for rounding.
      lower[row * n + column] = row === column ? Math.sqrt(Math.max(sum, ridge)) : sum / at(lower, column * n + column);
    }
  }
  const result = new Float64Array(n);
  for (let row = 0; row < n; row++) {
    let sum = at(moments, row);
    for (let k = 0; k < row; k++) sum -= at(lower, row * n + k) * at(result, k);
    result[row] = sum / at(lower, row * n + row);
  }
  for (let row = n - 1; row >= 0; row--) {
    let sum = at(result, row);
    for (let k = row + 1; k < n; k++) sum -= at(lower, k * n + row) * at(result, k);
    result[row] = sum / at(lower, row * n + row);
  }
  return result;
}

function at(values: Float64Array, index: number): number {
  return values[index] as number;
}
