import type { Part } from "../domain/configuration.ts";
import type { SwitcherView } from "./switcher-view.ts";

/** Which part of a stage each of its switchers is to serve. */
export interface Distribution {
  readonly choosePart: (view: SwitcherView) => Part;
  /** For a switcher that connects. */
  readonly newcomer: Part;
}

/**
 * Gives every part of a stage its replicas, and changes as little as it can: a switcher keeps the part that it was told to serve, else takes the one
 * whose variant it serves, as long as that has not enough; the others go where most are missing. Null: there are no parts.
 *
 * @param toldVariant what a pod was told to serve last; undefined: nothing.
 */
export function distributeParts(
  parts: readonly Part[],
  views: readonly SwitcherView[],
  toldVariant: (pod: string) => string | undefined,
): Distribution | null {
  const [first] = parts;
  if (!first) return null;
  if (parts.length === 1) return { choosePart: () => first, newcomer: first };
  const missing = new Map(parts.map(part => [part, part.replicas]));
  const taken = new Map<string, Part>();
  const take = (view: SwitcherView, part: Part): void => {
    taken.set(view.pod, part);
    missing.set(part, (missing.get(part) ?? 0) - 1);
  };
  const most = (): Part =>
    parts.reduce((best, part) => ((missing.get(part) ?? 0) > (missing.get(best) ?? 0) ? part : best), first);
  // What is ready keeps its part first, then by name: the same at every tick.
  const sorted = views.toSorted((a, b) => Number(b.ready) - Number(a.ready) || (a.pod < b.pod ? -1 : 1));
  for (const variantOf of [(view: SwitcherView) => toldVariant(view.pod), (view: SwitcherView) => view.variant])
    for (const view of sorted) {
      const part = parts.find(({ variant }) => variant === variantOf(view));
      if (part && !taken.has(view.pod) && (missing.get(part) ?? 0) > 0) take(view, part);
    }
  for (const view of sorted) {
    if (taken.has(view.pod)) continue;
    const own = parts.find(({ variant }) => variant === toldVariant(view.pod));
    const target = most();
    // Nothing is missing: it stays what it is until it is given back.
    take(view, own && (missing.get(target) ?? 0) <= 0 ? own : target);
  }
  return { choosePart: view => taken.get(view.pod) ?? first, newcomer: most() };
}
