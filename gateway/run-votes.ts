import { setTimeout as sleep } from "node:timers/promises";
import { findVariant } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";
import type { Failure } from "./outcome.ts";
import type { Replica } from "./replica.ts";
import type { RowScope } from "./request-scope.ts";
import { sumRows } from "./rows-by-variant.ts";
import { type OnRetry, type RowsAnswer, runStage, type StageAnswer } from "./run-stage.ts";
import type { Row, Vote } from "./stage.ts";
import type { StagePool } from "./stage-pool.ts";

/** Why a voter had no vote: how its calls ended, it was not done in time, or its replica served what another one has voted with. */
export type MissingVote = Failure["kind"] | "no_endpoint" | "replicas_full" | "late" | "same_variant";

export interface Voting {
  readonly join: (votes: readonly Vote[]) => Row;
  readonly weightOf: (variant: string) => number;
  /** Share of the request's time that late votes are waited for. */
  readonly waitShare: number;
  readonly onRetry: OnRetry;
  /** Of a request, a voter that did not count. */
  readonly onMissing: (stage: string, voter: string, cause: MissingVote) => void;
}

/**
 * Sends the rows of one request to one replica of every voter of a stage at the same time, and joins what they say row by row. Votes that are
 * late or failed are left out. No voter's calls may take longer than votes are waited for, but those of the quickest one: where no vote has come by then,
 * the first one that comes counts alone. Where none can come any more the rows go to the stage's replicas once more, first to those that were not asked.
 * Where that fails, too, it ends the request's scope and gives null.
 */
export async function runVotes(
  pool: StagePool,
  rows: readonly Row[],
  scope: RowScope,
  voting: Voting,
): Promise<StageAnswer | null> {
  const remainingMs = scope.remainingMs();
  const noLonger = new AbortController();
  const waitMs = Math.max(0, remainingMs * voting.waitShare);
  const isLate = sleep(waitMs, undefined, { signal: noLonger.signal }).catch(() => undefined);
  const tried = new Set<Replica>();
  const ballots = sortByTime(pool).map((voter, rank) => {
    const reservedMs = rank === 0 ? 0 : remainingMs * (1 - voting.waitShare);
    return castBallot(voter, createVoterScope(scope, reservedMs), own =>
      runStage(pool.ofVoter(voter), rows, own, voting.onRetry, tried),
    );
  });
  await Promise.race([enough(ballots, isLate), scope.ended]);
  noLonger.abort();
  if (scope.failure !== null) return null;
  const heard: RowsAnswer[] = [];
  for (const { voter, answer, scope: own } of ballots) {
    const isNew = !heard.some(other => answer?.versions.every((version, row) => version === other.versions[row]));
    if (answer && isNew) heard.push(answer);
    else voting.onMissing(pool.stage.name, voter, answer ? "same_variant" : explainMissing(own));
    // Nobody waits for it any more: it makes no further calls.
    own.end({ kind: "cancelled" });
  }
  if (heard.length === 0) return runStage(pool.untriedFirst(tried), rows, scope, voting.onRetry);
  const outputs = rows.map((_, row) => joined(heard, row, voting));
  const rowsByVariant = sumRows(heard.map(answer => answer.rowsByVariant));
  if (heard.length === 1) return { outputs, rowsByVariant };
  return { outputs, rowsByVariant: new Map([[[...rowsByVariant.keys()].sort().join("&"), rows.length]]) };
}

/** The voters by the measured times of their variants, the quickest first; those that can't be asked or were not measured last. */
function sortByTime(pool: StagePool): readonly string[] {
  const timeMs = (voter: string): number => {
    const profile = findVariant(pool.stage, voter)?.profile;
    return profile && pool.ofVoter(voter).pick(null) !== null ? serviceMs(profile, 1) : Number.MAX_VALUE;
  };
  return pool.voters().toSorted((a, b) => timeMs(a) - timeMs(b));
}

/** All have answered or failed; or it is late, and there is an answer or the first, which alone has more time, has failed. */
async function enough(ballots: readonly Ballot[], isLate: Promise<unknown>): Promise<void> {
  const all = Promise.all(ballots.map(({ done }) => done));
  await Promise.race([all, isLate]);
  if (ballots.some(({ answer }) => answer !== null)) return;
  const answers = ballots.map(ballot => ballot.done.then(() => (ballot.answer === null ? all : null)));
  await Promise.race([all, ballots[0]?.done, ...answers]);
}

/** One variant has one vote, of however many replicas. */
function joined(heard: readonly RowsAnswer[], row: number, { join, weightOf }: Voting): Row {
  const votes = new Map<string, Vote>();
  for (const { outputs, versions } of heard) {
    const [variant = "", output] = [versions[row], outputs[row]];
    if (output && !votes.has(variant)) votes.set(variant, { variant, weight: weightOf(variant), output });
  }
  const [only, ...others] = votes.values();
  if (!only) throw new Error("a voter that answered has an output for every row");
  return others.length === 0 ? only.output : join([only, ...others]);
}

/** What becomes of one voter's rows. */
interface Ballot {
  readonly voter: string;
  readonly scope: RowScope;
  /** It is null where there is none yet, or never will be. */
  answer: RowsAnswer | null;
  /** Resolves when it has answered or failed. */
  readonly done: Promise<void>;
}

function castBallot(voter: string, scope: RowScope, run: (scope: RowScope) => Promise<RowsAnswer | null>): Ballot {
  const done = run(scope).then(answer => {
    ballot.answer = answer;
  });
  const ballot: Ballot = { voter, scope, answer: null, done };
  return ballot;
}

/** Says why a voter has no answer. */
function explainMissing({ failure }: RowScope): MissingVote {
  if (failure === null) return "late";
  if (failure.kind !== "dropped") return failure.kind;
  return failure.reason === "no_endpoint" || failure.reason === "replicas_full" ? failure.reason : "late";
}

/**
 * The part of a request that one voter has: where it ends, the request and the other voters go on. Calls are cut with the request alone, as what
 * a voter runs beside a call that failed ends by itself.
 *
 * @param reservedMs of the request's time, its end, that this voter's calls must leave.
 */
function createVoterScope(request: RowScope, reservedMs: number): RowScope {
  const { id, span, controls, unwanted } = request;
  let own: Failure | null = null;
  let resolve: (failure: Failure) => void = () => {};
  const ownEnd = new Promise<Failure>(resolveOwn => {
    resolve = resolveOwn;
  });
  return {
    id,
    span,
    controls,
    unwanted,
    waitsFor: "deadline",
    ended: Promise.race([ownEnd, request.ended]),
    get failure() {
      return own ?? request.failure;
    },
    remainingMs: () => request.remainingMs() - reservedMs,
    sloRemainingMs: () => request.sloRemainingMs() - reservedMs,
    end: failure => {
      own ??= failure;
      resolve(failure);
    },
  };
}
