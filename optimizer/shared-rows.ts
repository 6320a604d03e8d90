import type { Problem } from "./problem.ts";
import { fanOutAt, rowsAt, type Scope } from "./scope.ts";

export interface RowRange {
  readonly fewest: number;
  readonly most: number;
}

/** Rows of one request at a stage, over all variants before it. */
export function rowsBefore(scope: Scope, index: number): RowRange {
  let range = { fewest: 1, most: 1 };
  const path: number[] = [];
  for (let at = index; at >= 0; at = scope.stages[at]?.upstream ?? -1) path.unshift(at);
  for (const at of path) {
    const upstream = scope.stages[scope.stages[at]?.upstream ?? -1];
    const names = upstream?.variants.map(({ name }) => name) ?? [""];
    const factors = names.map(name =>
      rowsAt(
        scope,
        at,
        scope.stages.map(() => 1),
        scope.stages.map(() => name),
      ),
    );
    range = { fewest: range.fewest * Math.min(...factors), most: range.most * Math.max(...factors) };
  }
  return range;
}

/**
 * Ways to leave out variants before a stage so that all that are left give it as many rows; every choice of variants is in one of them.
 * Null: where variants serve together, leaving one out takes others with it.
 */
export function rowChoices(scope: Scope, index: number): readonly Problem["excluded"][] | null {
  let choices: Problem["excluded"][] = [{}];
  for (let at = index; ; ) {
    const upstream = scope.stages[at]?.upstream ?? -1;
    const before = scope.stages[upstream];
    if (!before) return choices;
    const { variants, stage } = before;
    if (variants.some(({ members }) => members.length > 0)) return null;
    const fanOuts = variants.map(({ name }) => fanOutAt(scope, at, name));
    const leftOut = [...new Set(fanOuts)].map(kept =>
      variants.filter((_, v) => fanOuts[v] !== kept).map(({ name }) => name),
    );
    choices = choices.flatMap(choice => leftOut.map(names => ({ ...choice, [stage.name]: names })));
    at = upstream;
  }
}

export function withLeftOut(problem: Problem, leftOut: Problem["excluded"]): Problem {
  const names = Object.keys({ ...problem.excluded, ...leftOut });
  const both = (stage: string) => [...(problem.excluded[stage] ?? []), ...(leftOut[stage] ?? [])];
  return { ...problem, excluded: Object.fromEntries(names.map(stage => [stage, both(stage)])) };
}
