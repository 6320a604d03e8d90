/** What the admin endpoint takes, and its OpenAPI document says. */
export const ADMIN_LIMITS = {
  maxBatch: 4096,
  maxTtlMs: 7 * 24 * 3600 * 1000,
  defaultTtlMs: 3600 * 1000,
  maxProfileBatches: 16,
  maxProfileSeconds: 10,
} as const;
