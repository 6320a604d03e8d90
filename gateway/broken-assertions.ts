import type { PipelineCode } from "./stage.ts";

/** The names of the code's assertions that do not hold of a request's context. One that throws does not hold. */
export function brokenAssertions(code: PipelineCode, context: unknown): string[] {
  return Object.entries(code.assertions ?? {}).flatMap(([name, holds]) => {
    try {
      return holds(context) === true ? [] : [name];
    } catch {
      return [name];
    }
  });
}
