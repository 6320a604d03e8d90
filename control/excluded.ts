import type { ControlState } from "./control-state.ts";
import { quarantinedVariants } from "./quarantine.ts";
import type { TickInput } from "./tick-input.ts";

/** Variants that may not be used now, by stage: in quarantine, or not installed. */
export function excludedVariants(
  { quarantines }: Pick<ControlState, "quarantines">,
  input: TickInput,
  nowMs: number,
): Record<string, readonly string[]> {
  const excluded = quarantinedVariants(quarantines, nowMs);
  for (const [stage, variants] of Object.entries(notInstalled(input)))
    excluded[stage] = [...new Set([...(excluded[stage] ?? []), ...variants])];
  return excluded;
}

/**
 * Measured variants that a connected switcher has no model file of, by stage. One that has none of the stage's default variant says nothing
 * of what the stage may do without: every stage keeps a variant to be served.
 */
export function notInstalled({ pipeline, switchers }: TickInput): Record<string, readonly string[]> {
  const missing: Record<string, readonly string[]> = {};
  const reports = switchers.filter(view => view.missingVariants.length > 0);
  if (reports.length === 0) return missing;
  for (const { name, defaultVariant, variants } of pipeline.stages) {
    const own = reports.filter(view => view.stage === name && !view.missingVariants.includes(defaultVariant));
    const found = variants.filter(
      variant => variant.profile && own.some(view => view.missingVariants.includes(variant.name)),
    );
    if (found.length > 0) missing[name] = found.map(variant => variant.name);
  }
  return missing;
}
