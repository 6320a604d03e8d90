import { findLimit } from "../domain/serving/kept-rungs.ts";
import type { InferResult } from "./infer-client.ts";
import type { Failure } from "./outcome.ts";
import type { Replica } from "./replica.ts";
import type { RowScope } from "./request-scope.ts";
import { findShares, formatShares, type RowsByVariant, sumRows } from "./rows-by-variant.ts";
import type { Row } from "./stage.ts";
import type { ReplicaChoice } from "./stage-pool.ts";

export interface StageAnswer {
  /** One per row, in the order of the rows. */
  readonly outputs: readonly Row[];
  /** Several variants where replicas differ or a replica served the rows by several of its rungs. */
  readonly rowsByVariant: RowsByVariant;
}

/** A stage's answer of one replica to each row. */
export interface RowsAnswer extends StageAnswer {
  /** The variant that served each row, or most of the rows of its call. */
  readonly versions: readonly string[];
}

export type OnRetry = (stage: string, cause: "full" | "unserved" | "unreachable" | "wrong") => void;

interface StageRun {
  readonly pool: ReplicaChoice;
  readonly scope: RowScope;
  readonly onRetry: OnRetry;
  readonly tried: Set<Replica>;
  /** The most accurate variant that may serve the rows; null: any may. */
  readonly limit: string | null;
}

/**
 * Sends the rows of one request to the replicas of a stage, in calls at the same time, and joins what comes back. Where that
 * fails it ends the request's scope and gives null.
 *
 * @param tried takes the replicas that rows were sent to, or were to be.
 */
export async function runStage(
  pool: ReplicaChoice,
  rows: readonly Row[],
  scope: RowScope,
  onRetry: OnRetry,
  tried: Set<Replica> = new Set(),
): Promise<RowsAnswer | null> {
  let calls = pool.split(rows.length);
  while (calls.length === 0) {
    await waitForReplica(pool, scope);
    if (scope.failure !== null) return null;
    calls = pool.split(rows.length);
  }
  const { controls } = scope;
  const kept = pool.kept !== null && !controls.variants.has(pool.stage.name) ? pool.kept.find(controls.keys) : [];
  const run = { pool, scope, onRetry, tried, limit: findLimit(kept) };
  let start = 0;
  const answers = await Promise.all(
    calls.map(call => {
      start += call.rows;
      return runCall(run, rows.slice(start - call.rows, start), call.replica);
    }),
  );
  const all = answers.filter(answer => answer !== null);
  if (all.length < answers.length) return null;
  const rowsByVariant = sumRows(all.map(answer => answer.rowsByVariant));
  const [most] = kept.length > 0 ? findShares(rowsByVariant) : [];
  if (most?.variant) pool.kept?.settle(kept, run.limit, most.variant);
  return {
    outputs: all.flatMap(({ outputs }) => outputs),
    versions: all.flatMap(({ outputs, version }) => outputs.map(() => version)),
    rowsByVariant,
  };
}

type Answer = Extract<InferResult, { kind: "answered" }>;

/**
 * Inference changes nothing on a replica, so a call that failed or was refused is sent once more, to another one where there is one, and no
 * further: a request may be what a replica dies of. A call that a replica surely has not seen, since there was no connection, goes on to others
 * and waits for one until the deadline: pods end and are replaced.
 */
async function runCall(run: StageRun, rows: readonly Row[], first: Replica): Promise<Answer | null> {
  const { pool, scope, onRetry, tried } = run;
  let failed: Replica | null = null;
  let replica: Replica | null = first;
  while (scope.failure === null) {
    // There is no `await` between the choice of a replica and `infer`: its rows must count as outstanding before the next choice.
    if (replica === null) {
      await waitForReplica(pool, scope);
      replica = pool.pick(failed);
      continue;
    }
    tried.add(replica);
    const result = await sendCall(run, rows, replica, failed !== null);
    if (scope.failure !== null) return null;
    if (result.kind === "answered") return result;
    const isUnseen = result.kind === "unreachable" && !result.wasSent;
    // One that takes no connection is left out for a while now, so that others are tried first and it is not tried all the time.
    const next = pool.pick(isUnseen ? failed : replica);
    const isRefused = result.kind === "full" || result.kind === "unserved";
    const isLast = !isUnseen && (failed !== null || (isRefused && next === replica));
    if (isLast || result.kind === "late" || result.kind === "tooLarge") {
      scope.end(describeFailure(pool.stage.name, result));
      return null;
    }
    onRetry(pool.stage.name, result.kind);
    if (!isUnseen) failed = replica;
    replica = next;
  }
  return null;
}

async function sendCall(
  { pool: { stage }, scope, limit }: StageRun,
  rows: readonly Row[],
  replica: Replica,
  isRetry: boolean,
): Promise<InferResult> {
  const { id, controls, unwanted: signal } = scope;
  const attributes = {
    "variscale.stage": stage.name,
    "variscale.rows": rows.length,
    "server.address": replica.address,
  };
  const span = scope.span?.startChild(`call ${stage.name}`, { kind: "client", attributes });
  const result = await replica.infer({
    id,
    rows,
    timeoutMs: scope.remainingMs(),
    sloTimeoutMs: scope.sloRemainingMs(),
    variant: controls.variants.get(stage.name),
    signal,
    isRetry,
    headers: {
      ...(controls.sequenceId !== null && { "x-sequence-id": controls.sequenceId }),
      ...(limit !== null && { "x-variscale-keep": limit }),
      ...span?.headers,
    },
  });
  if (result.kind === "answered")
    span?.end({ attributes: { "variscale.variant": formatShares(result.rowsByVariant) } });
  else span?.end({ problem: "error" in result ? `${result.kind}: ${result.error.message}` : result.kind });
  return result;
}

async function waitForReplica(pool: ReplicaChoice, scope: RowScope): Promise<void> {
  scope.waitsFor = "no_endpoint";
  await pool.changed(scope);
  scope.waitsFor = "deadline";
}

function describeFailure(stage: string, result: Exclude<InferResult, Answer>): Failure {
  switch (result.kind) {
    case "late":
      return { kind: "dropped", reason: "deadline", message: "a replica could not serve it by its deadline" };
    case "full":
      return {
        kind: "dropped",
        reason: "replicas_full",
        message: `the replicas of stage \`${stage}\` are full`,
      };
    case "unserved":
      return {
        kind: "invalid",
        status: 409,
        message: `x-variscale-variant: stage \`${stage}\` does not serve that variant now: a replica answered ${result.message}`,
      };
    case "unreachable":
      return { kind: "lost", message: `stage \`${stage}\` gave no answer: ${result.error.message}` };
    case "tooLarge":
      return {
        kind: "invalid",
        status: 413,
        message: `the request has too much for stage \`${stage}\`: a replica answered ${result.message}`,
      };
    case "wrong":
      return {
        kind: "failed",
        status: 502,
        message: `stage \`${stage}\` can't be used: ${result.error.message}`,
        cause: result.error,
      };
  }
}
