import type { Assignment } from "../domain/assignment.ts";
import type { Part } from "../domain/configuration.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { lightestVariant } from "./capacity.ts";
import { type ControlState, podKey } from "./control-state.ts";
import { excludedVariants } from "./excluded.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";

/** Stands for every switcher that connects before the next tick; no pod has this name. */
export const NEWCOMER = "";

type Content = Omit<Assignment, "version">;

/** Gives out assignments in one tick: what has not changed since the tick before keeps its version, whatever has gets the next one. */
export interface AssignmentIssuer {
  issue(stage: Stage, pod: string, part: Part): Assignment;
  /** What the next tick must know. */
  issued(): Pick<ControlState, "assignments" | "counter">;
}

export function assignmentIssuer(state: ControlState, input: TickInput, nowMs: number): AssignmentIssuer {
  const { pipeline, epoch } = input;
  const isSameEpoch = state.epoch === epoch;
  const known = isSameEpoch ? state.assignments : {};
  const excluded = excludedVariants(state, pipeline, nowMs);
  const assignments: Record<string, Assignment> = {};
  let counter = isSameEpoch ? state.counter : 0;
  // Nearly all switchers of a stage are to serve the same part.
  let newest: { readonly stage: Stage; readonly part: Part; readonly content: Content } | null = null;
  const contentFor = (stage: Stage, part: Part): Content => {
    if (newest?.stage === stage && newest.part === part) return newest.content;
    const content = contentOf(pipeline, stage, part, excluded[stage.name] ?? [], state.decisionId ?? "");
    newest = { stage, part, content };
    return content;
  };
  return {
    issue: (stage, pod, part) => {
      const key = podKey(stage.name, pod);
      const content = contentFor(stage, part);
      const before = known[key];
      const isSame = before !== undefined && isSameContent(before, content);
      if (!isSame) counter += 1;
      const assignment = isSame ? before : { ...content, version: { epoch, counter } };
      assignments[key] = assignment;
      return assignment;
    },
    issued: () => ({ assignments, counter }),
  };
}

function contentOf(
  pipeline: Pipeline,
  stage: Stage,
  part: Part,
  excluded: readonly string[],
  decisionId: string,
): Content {
  const { latencyMs } = pipeline.slo;
  return {
    variant: part.variant,
    batch: part.batch,
    // Batches form by themselves where there is a queue. No profile is known for which a wait gains anything (docs/switcher.md, Batches).
    maxWaitMs: 0,
    // A stage that is to serve one variant must not protect itself by another.
    fallbackVariant: pipeline.objective.policy === "static" ? part.variant : lightestVariant(stage, excluded),
    overload: {
      enterQueueMs: latencyMs * SETTINGS.overloadEnterShare,
      exitQueueMs: latencyMs * SETTINGS.overloadExitShare,
      dwellMs: latencyMs * SETTINGS.overloadDwellShare,
    },
    decisionId,
  };
}

/** The decision aside: one that changes nothing for a switcher is no new assignment. */
function isSameContent(a: Assignment, b: Content): boolean {
  return (
    a.variant === b.variant &&
    a.batch === b.batch &&
    a.maxWaitMs === b.maxWaitMs &&
    a.fallbackVariant === b.fallbackVariant &&
    a.overload.enterQueueMs === b.overload.enterQueueMs &&
    a.overload.exitQueueMs === b.overload.exitQueueMs &&
    a.overload.dwellMs === b.overload.dwellMs
  );
}
