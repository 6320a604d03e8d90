import type { ControlState, MissingVariant } from "./control-state.ts";
import { quarantinedVariants } from "./quarantine.ts";

/** Variants that may not be used now, by stage: in quarantine, or not installed. */
export function excludedVariants(
  { quarantines, missing }: Pick<ControlState, "quarantines" | "missing">,
  nowMs: number,
): Record<string, readonly string[]> {
  const excluded = quarantinedVariants(quarantines, nowMs);
  for (const [stage, variants] of Object.entries(notInstalled(missing)))
    excluded[stage] = [...new Set([...(excluded[stage] ?? []), ...variants])];
  return excluded;
}

/** Variants that pods have no model file of, by stage. */
export function notInstalled(missing: readonly MissingVariant[]): Record<string, readonly string[]> {
  const byStage: Record<string, readonly string[]> = {};
  for (const { stage, variant } of missing) byStage[stage] = [...(byStage[stage] ?? []), variant];
  return byStage;
}
