import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { fanOutOf } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";

/** Of the time that a stage may take: what joins votes and answers needs time, too. */
const USABLE = 0.9;
/** For variants that were not measured. */
const UNKNOWN_MS = 1;

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
