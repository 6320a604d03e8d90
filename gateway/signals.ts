import type { Signals } from "../domain/correctness-model.ts";
import type { PipelineCode } from "./stage.ts";

/** Before the name of an assertion: the signal that says whether it is broken. */
export const BROKEN = "broken.";

/**
 * What a request shows of itself once all stages have been collected: the code's own signals, and `broken.NAME` (0 or 1) for each of its
 * assertions. Code that throws shows nothing.
 */
export function signalsOf(code: PipelineCode, context: unknown): Signals {
  const broken = new Set(brokenAssertions(code, context));
  const assertions = Object.keys(code.assertions ?? {}).map(name => [`${BROKEN}${name}`, broken.has(name) ? 1 : 0]);
  return { ...ownSignals(code, context), ...Object.fromEntries(assertions) };
}

function ownSignals(code: PipelineCode, context: unknown): Signals {
  try {
    return code.signals?.(context) ?? {};
  } catch {
    return {};
  }
}

/** The names of the code's assertions that do not hold of a request's context. */
export function brokenAssertions({ assertions = {} }: PipelineCode, context: unknown): string[] {
  return findBroken(assertions, holds => holds(context));
}

/** The names of assertions that do not hold. One that throws does not hold. */
export function findBroken<T>(assertions: Readonly<Record<string, T>>, test: (assertion: T) => boolean): string[] {
  return Object.entries(assertions).flatMap(([name, assertion]) => {
    try {
      return test(assertion) === true ? [] : [name];
    } catch {
      return [name];
    }
  });
}
