/** ln(p / (1 − p)) of a probability, at most ±9.2: what a model is nearly sure of differs less than what it is not. */
export function logOdds(probability: number): number {
  const inside = Math.min(1 - 1e-4, Math.max(1e-4, probability));
  return Math.log(inside / (1 - inside));
}
