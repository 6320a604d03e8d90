import type { TraceSpan } from "../runtime/tracing/tracing.ts";
import type { InferResult } from "./infer-client.ts";
import type { DropReason } from "./outcome.ts";
import type { Replica } from "./replica.ts";
import type { RowScope } from "./request-scope.ts";
import type { Row } from "./stage.ts";
import type { ReplicaChoice } from "./stage-pool.ts";

export interface StageAnswer {
  /** One per row, in the order of the rows. */
  readonly outputs: readonly Row[];
  /** Variants that served it; more than one while replicas of the stage differ, and where they vote. */
  readonly variants: readonly string[];
  /** All of them served every row. Missing: no. */
  readonly isVote?: boolean;
}

/** A stage's answer of one replica to each row. */
export interface RowsAnswer extends StageAnswer {
  /** The variant that served each row. */
  readonly versions: readonly string[];
}

export type OnRetry = (stage: string, cause: "full" | "unreachable" | "wrong") => void;

/** Estimates are rough: only what would need this many times the time that is left is given up beforehand. */
const HOPELESS = 2;

/**
 * Sends the rows of one request to the replicas of a stage, in chunks at the same time, and joins what comes back. Where that
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
  const size = pool.chunkRows(rows.length);
  const chunks: (readonly Row[])[] = [];
  for (let start = 0; start < rows.length; start += size) chunks.push(rows.slice(start, start + size));
  const answers = await Promise.all(chunks.map(chunk => runChunk(pool, chunk, scope, onRetry, tried)));
  const outputs: Row[] = [];
  const versions: string[] = [];
  for (const answer of answers) {
    if (answer === null) return null;
    for (const output of answer.outputs) {
      outputs.push(output);
      versions.push(answer.version);
    }
  }
  return { outputs, versions, variants: [...new Set(versions)] };
}

type Answer = Extract<InferResult, { kind: "answered" }>;

/**
 * Inference changes nothing on a replica, so a chunk that failed is sent once more, to another one where there is one, and no further: a
 * request may be what a replica dies of. A chunk that a replica surely has not seen, since there was no connection, goes on to others and
 * waits for one until the deadline: pods end and start anew.
 */
async function runChunk(
  pool: ReplicaChoice,
  rows: readonly Row[],
  scope: RowScope,
  onRetry: OnRetry,
  tried: Set<Replica>,
): Promise<Answer | null> {
  let failed: Replica | null = null;
  while (scope.failure === null) {
    // No `await` from here to `infer`: what is picked must count as outstanding before the next chunk picks.
    const replica = pool.pick(rows.length, failed);
    if (replica === null) {
      await replicaChange(pool, scope);
      continue;
    }
    tried.add(replica);
    const timeoutMs = scope.remainingMs();
    if (replica.expectedWorkMs(rows.length) > HOPELESS * timeoutMs)
      return drop(scope, "deadline", "the replicas have too much work to serve it by its deadline");
    const span = startCallSpan(scope, pool.stage.name, replica.address, rows.length);
    const traceHeaders = span?.headers ?? {};
    const call = { id: scope.id, rows, timeoutMs, signal: scope.unwanted, isRetry: failed !== null, traceHeaders };
    const result = await replica.infer(call);
    endCallSpan(span, result);
    if (scope.failure !== null) return null;
    if (result.kind === "answered") return result;
    if (result.kind === "late") return drop(scope, "deadline", "a replica could not serve it by its deadline");
    if (result.kind === "tooLarge") {
      scope.end({
        kind: "invalid",
        status: 413,
        message: `the request has too much for stage \`${pool.stage.name}\`: a replica answered ${result.message}`,
      });
      return null;
    }
    if (result.kind === "unreachable" && !result.wasSent) {
      // It is left out for a while now, so that others are tried first and it is not tried all the time.
      onRetry(pool.stage.name, result.kind);
      continue;
    }
    const isLast = failed !== null || (result.kind === "full" && pool.pick(rows.length, replica) === replica);
    if (isLast) return giveUp(scope, pool.stage.name, result);
    failed = replica;
    onRetry(pool.stage.name, result.kind);
  }
  return null;
}

function startCallSpan(scope: RowScope, stage: string, address: string, rows: number): TraceSpan | null {
  if (scope.span === null) return null;
  const attributes = { "variscale.stage": stage, "variscale.rows": rows, "server.address": address };
  return scope.span.startChild(`call ${stage}`, { kind: "client", attributes });
}

function endCallSpan(span: TraceSpan | null, result: InferResult): void {
  if (result.kind === "answered") span?.end({ attributes: { "variscale.variant": result.version } });
  else span?.end({ problem: "error" in result ? `${result.kind}: ${result.error.message}` : result.kind });
}

async function replicaChange(pool: ReplicaChoice, scope: RowScope): Promise<void> {
  scope.waitsFor = "no_endpoint";
  await pool.changed(scope);
  scope.waitsFor = "deadline";
}

function drop(scope: RowScope, reason: DropReason, message: string): null {
  scope.end({ kind: "dropped", reason, message });
  return null;
}

function giveUp(
  scope: RowScope,
  stage: string,
  result: Exclude<InferResult, { kind: "answered" | "late" | "tooLarge" }>,
): null {
  switch (result.kind) {
    case "full":
      return drop(scope, "replicas_full", `the replicas of stage \`${stage}\` are full`);
    case "unreachable":
      scope.end({ kind: "lost", message: `stage \`${stage}\` gave no answer: ${result.error.message}` });
      return null;
    case "wrong": {
      const message = `stage \`${stage}\` can't be used: ${result.error.message}`;
      scope.end({ kind: "failed", status: 502, message, cause: result.error });
      return null;
    }
    default:
      return result satisfies never;
  }
}
