import { compareVersions, QUARANTINE_CODES } from "../domain/assignment.ts";
import type { Quarantine } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";

/**
 * Leaves a variant that a switcher could not load out of the stage for a while: 60 s, then twice as long at every further
 * refusal, so that a broken model never makes a loop of refusals. It is forgotten a while after its time is over.
 */
export function quarantine(
  known: readonly Quarantine[],
  switchers: readonly SwitcherView[],
  nowMs: number,
): readonly Quarantine[] {
  const byVariant = new Map<string, Quarantine>();
  for (const entry of known) {
    if (nowMs < entry.untilMs + SETTINGS.backoffMaxMs) byVariant.set(`${entry.stage}/${entry.variant}`, entry);
  }
  for (const { stage, nack } of switchers) {
    if (!nack || !QUARANTINE_CODES.includes(nack.code)) continue;
    const key = `${stage}/${nack.variant}`;
    const entry = byVariant.get(key);
    if (entry && compareVersions(nack.version, { epoch: entry.countedEpoch, counter: entry.countedCounter }) <= 0)
      continue;
    const failures = (entry?.failures ?? 0) + 1;
    byVariant.set(key, {
      stage,
      variant: nack.variant,
      untilMs: nowMs + Math.min(SETTINGS.backoffMaxMs, SETTINGS.backoffMs * 2 ** (failures - 1)),
      failures,
      code: nack.code,
      message: nack.message,
      countedEpoch: nack.version.epoch,
      countedCounter: nack.version.counter,
    });
  }
  return [...byVariant.values()];
}

/** Variants that are in quarantine now, by stage. */
export function quarantinedVariants(
  quarantines: readonly Quarantine[],
  nowMs: number,
): Record<string, readonly string[]> {
  const quarantined: Record<string, readonly string[]> = {};
  for (const { stage, variant, untilMs } of quarantines) {
    if (nowMs < untilMs) quarantined[stage] = [...(quarantined[stage] ?? []), variant];
  }
  return quarantined;
}
