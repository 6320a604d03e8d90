/**
 * ln(p / (1 − p)) of a share or a probability. Within `least` of 0 and 1 it counts as `least`: what is nearly sure differs less than what is
 * not, and nothing is infinite.
 */
export function logOdds(share: number, least = 1e-4): number {
  const inside = Math.min(1 - least, Math.max(least, share));
  return Math.log(inside / (1 - inside));
}
