import type { Pipeline } from "../domain/pipeline.ts";

/** The newest change by what it was made for. */
const changes = new WeakMap<object, { readonly from: Pipeline; readonly to: Pipeline }>();

/**
 * Changes a pipeline for what is planned with in the place of its file's: the same object for the same `reason`, at every tick, as what is
 * computed of a pipeline is kept with it.
 */
export function changeOnce(from: Pipeline, reason: object, change: () => Partial<Pipeline>): Pipeline {
  const known = changes.get(reason);
  if (known?.from === from) return known.to;
  const to = { ...from, ...change() };
  changes.set(reason, { from, to });
  return to;
}
