import type { PipelineState } from "./pipeline-state.ts";

export const SORT_ORDERS = ["pipeline", "load", "cores", "accuracy", "latency"] as const;
export type SortOrder = (typeof SORT_ORDERS)[number];

/** What is worth a look comes first; what is not known comes last. */
const RANK: Readonly<Record<Exclude<SortOrder, "pipeline">, (state: PipelineState) => number | null>> = {
  load: ({ loadRps }) => negative(loadRps),
  cores: ({ cores }) => negative(cores),
  accuracy: ({ accuracy, servedAccuracy }) => servedAccuracy ?? accuracy,
  latency: ({ lastMinute, slo }) => negative(lastMinute?.p99Ms == null ? null : lastMinute.p99Ms / slo.latencyMs),
};

/** Those that are wanted, in the order that is wanted: highest load, most cores, lowest accuracy or least time to spare first. */
export function chooseStates(
  states: readonly PipelineState[],
  { order, problemsOnly }: { readonly order: SortOrder; readonly problemsOnly: boolean },
): readonly PipelineState[] {
  const wanted = problemsOnly ? states.filter(({ problems }) => problems.length > 0) : states;
  const rank = (state: PipelineState): number =>
    (order === "pipeline" ? 0 : RANK[order](state)) ?? Number.POSITIVE_INFINITY;
  const byName = (a: PipelineState, b: PipelineState): number => (a.pipeline < b.pipeline ? -1 : 1);
  return wanted.toSorted((a, b) => {
    const [first, second] = [rank(a), rank(b)];
    return first === second ? byName(a, b) : first - second;
  });
}

function negative(value: number | null): number | null {
  return value === null ? null : -value;
}
