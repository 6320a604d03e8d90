import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { brokenAssertions } from "./broken-assertions.ts";
import { checkRows } from "./infer-codec.ts";
import type { Outcome } from "./outcome.ts";
import type { RequestScope } from "./request-scope.ts";
import type { StageAnswer } from "./run-stage.ts";
import type { PipelineCode, Row, StageCode } from "./stage.ts";

/** A request with more rows for one stage is an error of the pipeline's code. */
const MAX_ROWS = 10_000;

export interface StageTrace {
  readonly stage: string;
  readonly rows: number;
  readonly upstreamRows: number;
  /** Null for the entry stage, and where the upstream stage had nothing to do. */
  readonly upstreamVariant: string | null;
  /** `a`, `a+b` while replicas of the stage differ, or `a&b` where they voted; null where the stage had nothing to do. */
  readonly variant: string | null;
  readonly latencyMs: number;
}

export interface PipelineRun {
  readonly pipeline: Pipeline;
  readonly code: PipelineCode;
  /** Null: the scope has ended. */
  readonly infer: (stage: string, rows: readonly Row[], scope: RequestScope) => Promise<StageAnswer | null>;
  readonly nowMs: () => number;
  readonly onStage: (trace: StageTrace) => void;
  /** Which of the code's assertions do not hold of an answer, before it goes out. */
  readonly onAsserted: (broken: readonly string[]) => void;
  /** All stages have been collected: what the answer will be made of. */
  readonly onCollected: (context: unknown) => void;
}

/**
 * Takes one request through the pipeline: decode, then for each stage rows, inference, collect, then respond. Resolves as soon
 * as `scope` ends, whatever the pipeline's code still does; what it throws is the outcome of this request alone.
 */
export function runPipeline(
  run: PipelineRun,
  request: { readonly body: Uint8Array; readonly contentType: string },
  scope: RequestScope,
): Promise<Outcome> {
  return Promise.race([scope.ended, runToEnd(run, request, scope)]);
}

async function runToEnd(
  run: PipelineRun,
  request: { readonly body: Uint8Array; readonly contentType: string },
  scope: RequestScope,
): Promise<Outcome> {
  const context = await decode(run.code, request, scope);
  if (context !== null) {
    try {
      await runStages(run, context.value, scope);
      if (scope.failure === null) {
        run.onAsserted(brokenAssertions(run.code, context.value));
        run.onCollected(context.value);
        const response = await run.code.respond(context.value);
        return { kind: "served", body: JSON.stringify(response) ?? "null" };
      }
    } catch (thrown) {
      const error = VariscaleError.from(thrown);
      scope.end({
        kind: "failed",
        status: 500,
        message: `the pipeline's code failed: ${error.message}`,
        cause: thrown,
      });
    }
  }
  return scope.ended;
}

/** Null: the scope has ended. */
async function decode(
  code: PipelineCode,
  request: { readonly body: Uint8Array; readonly contentType: string },
  scope: RequestScope,
): Promise<{ readonly value: unknown } | null> {
  try {
    return { value: await code.decode(request.body, request.contentType) };
  } catch (thrown) {
    const error = VariscaleError.from(thrown);
    // The code may be of another package, which has no error class of ours.
    const saysSo = thrown instanceof Error && "code" in thrown && thrown.code === "invalid_argument";
    if (saysSo) scope.end({ kind: "invalid", message: error.message });
    else
      scope.end({
        kind: "failed",
        status: 500,
        message: `the pipeline's code failed: ${error.message}`,
        cause: thrown,
      });
    return null;
  }
}

/** What a stage did, for those after it. */
interface StageDone {
  readonly rows: number;
  readonly variant: string | null;
}

/** Every stage as soon as those that it depends on are done: branches of a graph run at the same time. */
async function runStages(run: PipelineRun, context: unknown, scope: RequestScope): Promise<void> {
  const running = new Map<string, Promise<StageDone | null>>();
  for (const stage of run.pipeline.stages) {
    const before = stage.dependsOn.map(name => running.get(name));
    running.set(
      stage.name,
      Promise.all(before).then(done => (done.includes(null) ? null : runStage(run, stage, context, scope, done[0]))),
    );
  }
  await Promise.all(running.values());
}

/** Null: the scope has ended. */
async function runStage(
  run: PipelineRun,
  stage: Stage,
  context: unknown,
  scope: RequestScope,
  upstream: StageDone | null | undefined,
): Promise<StageDone | null> {
  const code = run.code.stages[stage.name] as StageCode<unknown>;
  const startedMs = run.nowMs();
  const rows = await code.rows(context);
  if (scope.failure !== null) return null;
  if (!Array.isArray(rows) || rows.length > MAX_ROWS)
    throw new VariscaleError("internal", `rows() of stage \`${stage.name}\` must give a list of at most ${MAX_ROWS}`);
  checkRows(stage.name, stage.contract, rows);
  const answer: StageAnswer | null =
    rows.length === 0 ? { outputs: [], variants: [] } : await run.infer(stage.name, rows, scope);
  if (answer === null) return null;
  await code.collect(context, answer.outputs);
  if (scope.failure !== null) return null;
  const variant = answer.variants.length === 0 ? null : [...answer.variants].sort().join(answer.isVote ? "&" : "+");
  run.onStage({
    stage: stage.name,
    rows: rows.length,
    upstreamRows: upstream?.rows ?? 1,
    upstreamVariant: upstream?.variant ?? null,
    variant,
    latencyMs: run.nowMs() - startedMs,
  });
  return { rows: rows.length, variant };
}
