import { rowsAt, type Scope } from "./scope.ts";

/** Rows of one request at a stage, over all variants before it. */
export function rowsBefore(scope: Scope, index: number): { readonly fewest: number; readonly most: number } {
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
