import type { MissingVariant } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

/**
 * Measured variants of the pipeline that a connected switcher has no model file of, and those that none misses any more but may miss again: what
 * was missed is left out until a switcher of its stage has it and none has missed it for a while, so that pods that come and go, and a scaler
 * that starts, change no plan. Where a pod itself has what it missed, and all others of its stage have it too, it is back at once. A switcher
 * that has none of the stage's default variant says nothing of what the stage may do without: every stage keeps a variant to be served.
 */
export function missingVariants(
  known: readonly MissingVariant[],
  { pipeline, switchers }: TickInput,
  nowMs: number,
): readonly MissingVariant[] {
  if (known.length === 0 && switchers.every(view => view.missingVariants.length === 0)) return known;
  return pipeline.stages.flatMap(({ name: stage, defaultVariant, variants }) => {
    const views = switchers.filter(view => view.stage === stage);
    const reports = views.filter(view => !view.missingVariants.includes(defaultVariant));
    return variants.flatMap(({ name: variant, profile }) => {
      if (!profile || variant === defaultVariant) return [];
      const pods = reports.filter(view => view.missingVariants.includes(variant)).map(view => view.pod);
      if (pods.length > 0) return [{ stage, variant, atMs: nowMs, pods }];
      const before = known.find(entry => entry.stage === stage && entry.variant === variant);
      return before && !isBack(before, views, nowMs) ? [before] : [];
    });
  });
}

function isBack({ variant, atMs, pods }: MissingVariant, views: readonly SwitcherView[], nowMs: number): boolean {
  const having = views.filter(view => !view.missingVariants.includes(variant));
  if (having.length === 0) return false;
  const isInstalled = having.length === views.length && having.some(view => pods.includes(view.pod));
  return isInstalled || nowMs - atMs >= SETTINGS.missingHoldMs;
}
