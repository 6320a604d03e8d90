import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { refusesRequest } from "./guarded-code.ts";
import { checkRows } from "./infer-codec.ts";
import type { Failure, Outcome } from "./outcome.ts";
import type { RequestScope } from "./request-scope.ts";
import type { RowsByVariant } from "./rows-by-variant.ts";
import type { StageAnswer } from "./run-stage.ts";
import { brokenAssertions } from "./signals.ts";
import type { PipelineCode, Row, StageCode } from "./stage.ts";

/** A request with more rows for one stage is an error of the pipeline's code. */
const MAX_ROWS = 10_000;

export interface StageTrace {
  readonly stage: string;
  readonly rows: number;
  /** Empty where the stage had nothing to do. */
  readonly rowsByVariant: RowsByVariant;
  /** The same of the upstream stage; null for an entry stage. */
  readonly upstream: RowsByVariant | null;
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
  const { code } = run;
  let isDecoded = false;
  try {
    const context = await code.decode(request.body, request.contentType);
    isDecoded = true;
    await runStages(run, context, scope);
    if (scope.failure === null) {
      run.onAsserted(brokenAssertions(code, context));
      run.onCollected(context);
      return { kind: "served", body: JSON.stringify(await code.respond(context)) ?? "null" };
    }
  } catch (thrown) {
    scope.end(describeThrown(thrown, isDecoded));
  }
  return scope.ended;
}

function describeThrown(thrown: unknown, isDecoded: boolean): Failure {
  if (!isDecoded && refusesRequest(thrown)) return { kind: "invalid", message: thrown.message };
  const message = `the pipeline's code failed: ${VariscaleError.from(thrown).message}`;
  return { kind: "failed", status: 500, message, cause: thrown };
}

/** Every stage as soon as those that it depends on are done: branches of a graph run at the same time. */
async function runStages(run: PipelineRun, context: unknown, scope: RequestScope): Promise<void> {
  const running = new Map<string, Promise<RowsByVariant | null>>();
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
  upstream: RowsByVariant | null = null,
): Promise<RowsByVariant | null> {
  const code = run.code.stages[stage.name] as StageCode<unknown>;
  const startedMs = run.nowMs();
  const rows = await code.rows(context);
  if (scope.failure !== null) return null;
  if (!Array.isArray(rows) || rows.length > MAX_ROWS)
    throw new VariscaleError("internal", `rows() of stage \`${stage.name}\` must give a list of at most ${MAX_ROWS}`);
  checkRows(stage.name, stage.contract, rows);
  const answer: StageAnswer | null =
    rows.length === 0 ? { outputs: [], rowsByVariant: new Map() } : await run.infer(stage.name, rows, scope);
  if (answer === null) return null;
  await code.collect(context, answer.outputs);
  if (scope.failure !== null) return null;
  const { rowsByVariant } = answer;
  const latencyMs = run.nowMs() - startedMs;
  run.onStage({ stage: stage.name, rows: rows.length, rowsByVariant, upstream, latencyMs });
  return rowsByVariant;
}
