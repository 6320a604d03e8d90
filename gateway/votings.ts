import { VariscaleError } from "../domain/errors.ts";
import { logOdds } from "../domain/log-odds.ts";
import { fanOutOf, findVariant, type Pipeline, type Stage } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";
import { checkOutputs } from "./infer-codec.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { Voting } from "./run-votes.ts";
import type { PipelineCode, Row, StageCode, Vote } from "./stage.ts";

/** The share of a stage's time that may be waited: what joins votes and answers needs time, too. */
const USABLE = 0.9;
/** For variants that were not measured. */
const UNKNOWN_MS = 1;
/** The weight of a variant that is not known to be better than a coin: others decide, and it decides where there is none. */
const LEAST = 1e-6;

/**
 * @throws failed_precondition where votes would be served that the code can't join: in mode `active` under policy cocktail, of a stage with
 *   `votes` in its file.
 */
export function requireVotes({ mode, objective, stages }: Pipeline, code: PipelineCode): void {
  if (mode !== "active" || objective.policy !== "cocktail") return;
  const [name] = stagesWithoutVote({ stages }, code);
  if (name === undefined) return;
  throw new VariscaleError(
    "failed_precondition",
    `\`stages.${name}\` of the pipeline's code has no \`vote\`, which policy cocktail needs where the file has \`votes\`. Give it one, or write \`mode: shadow\`.`,
  );
}

/** Stages with `votes` in the file whose code can't join any. */
export function stagesWithoutVote({ stages }: Pick<Pipeline, "stages">, code: PipelineCode): readonly string[] {
  const voting = stages.filter(({ name, votes }) => votes !== undefined && code.stages[name]?.vote === undefined);
  return voting.map(({ name }) => name);
}

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
      const voting: Voting = {
        join,
        weightOf: variant => voteWeight(stage, variant),
        waitShare: voteWaitShare(pipeline, stage),
        onRetry: metrics.retried,
        onMissing: metrics.missed,
      };
      return [[stage.name, voting] as const];
    }),
  );
}

/** Its result is checked, as it takes the place of a replica's answer. Null: the code can't join votes. */
function joinOf(stage: Stage, code: StageCode<unknown> | undefined): ((votes: readonly Vote[]) => Row) | null {
  if (code?.vote === undefined) return null;
  return votes => {
    const row = code.vote?.(votes);
    checkOutputs(stage.name, stage.contract, row);
    return row as Row;
  };
}

/**
 * The share of the time that a request has left which a stage may wait for late votes: what its slowest variant takes, of that and what those
 * of the stages after it take, each for the rows that one request has there, one after the other.
 */
export function voteWaitShare({ stages }: Pick<Pipeline, "stages">, stage: Stage): number {
  const requestMs = (one: Stage): number => mostRows(stages, one) * slowestMs(one);
  const after = (name: string): number =>
    Math.max(
      0,
      ...stages.filter(({ dependsOn }) => dependsOn.includes(name)).map(next => requestMs(next) + after(next.name)),
    );
  const own = requestMs(stage);
  return (USABLE * own) / (own + after(stage.name));
}

/** Rows of a request in a stage, by the variants upstream that give the most. */
function mostRows(stages: Pipeline["stages"], stage: Stage): number {
  const upstream = stages.find(({ name }) => name === stage.upstream);
  if (!upstream) return fanOutOf(stage, null);
  return mostRows(stages, upstream) * Math.max(...upstream.variants.map(({ name }) => fanOutOf(stage, name)));
}

function slowestMs({ variants }: Stage): number {
  return Math.max(...variants.map(({ profile }) => (profile ? serviceMs(profile, 1) : UNKNOWN_MS)));
}

/** The weight of a variant's vote: ln(a / (1 − a)), a its measured accuracy, and at least a trifle. */
export function voteWeight(stage: Stage, variant: string): number {
  return Math.max(LEAST, logOdds(findVariant(stage, variant)?.accuracy ?? 0, LEAST));
}
