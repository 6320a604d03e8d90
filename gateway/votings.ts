import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { checkOutputs } from "./infer-codec.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { Voting } from "./run-votes.ts";
import type { PipelineCode, Row, StageCode, Vote } from "./stage.ts";
import { voteWaitShare } from "./vote-wait.ts";
import { voteWeight } from "./vote-weight.ts";

/** How the stages of a pipeline vote, by name: those whose code joins votes. */
export function votingsOf(
  pipeline: Pipeline,
  code: PipelineCode,
  metrics: Pick<GatewayMetrics, "retried" | "missed">,
): ReadonlyMap<string, Voting> {
  return new Map(
    pipeline.stages.flatMap(stage => {
      const join = joinOf(stage, code.stages[stage.name]);
      if (join === null) return [];
      const weights = new Map(stage.variants.map(({ name }) => [name, voteWeight(stage, name)]));
      const voting: Voting = {
        join,
        weightOf: variant => weights.get(variant) ?? voteWeight(stage, variant),
        waitShare: voteWaitShare(pipeline, stage),
        onRetry: metrics.retried,
        onMissing: metrics.missed,
      };
      return [[stage.name, voting] as const];
    }),
  );
}

/** What it gives is checked: it takes the place of a replica's answer. Null: the code can't join votes. */
function joinOf(stage: Stage, code: StageCode<unknown> | undefined): ((votes: readonly Vote[]) => Row) | null {
  if (code?.vote === undefined) return null;
  return votes => {
    const row = code.vote?.(votes);
    checkOutputs(stage.name, stage.contract, row);
    return row as Row;
  };
}
