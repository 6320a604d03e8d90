import { findConfidence } from "../domain/confidence-threshold.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { checkRows } from "../gateway/infer-codec.ts";
import { signalsOf } from "../gateway/signals.ts";
import type { Evaluation, LabelledItem, PipelineCode, Row, StageCode } from "../gateway/stage.ts";
import { type Combination, combinationsOf, ENTRY, type ItemResult } from "./item-result.ts";
import type { Memo, ModelBench } from "./model-bench.ts";

/** A pipeline's code with its evaluation, and its models. */
export interface ItemBench {
  readonly pipeline: Pipeline;
  readonly code: PipelineCode;
  readonly evaluation: Evaluation;
  readonly models: Pick<ModelBench, "infer">;
}

/**
 * Takes one item through every combination of variants, and through every variant alone on right inputs; in both each stage is judged
 * by what it got. Contexts can't be copied, so each pass decodes anew; what passes have in common is inferred once.
 */
export async function measureItem(bench: ItemBench, item: LabelledItem): Promise<ItemResult> {
  const memo: Memo = new Map();
  const fanOut: Record<string, Record<string, { rows: number; of: number }>> = {};
  const combinations: ItemResult["combinations"][number][] = [];
  for (const combination of combinationsOf(bench.pipeline)) {
    const context = await bench.code.decode(item.body, item.contentType);
    const rowsOf: Record<string, number> = {};
    const stagesRight: boolean[] = [];
    for (const [s, stage] of bench.pipeline.stages.entries()) {
      const { length: rows } = await runStage(bench, context, s, combination[s] ?? "", memo);
      stagesRight.push(bench.evaluation.stageCorrect(context, item.label, stage.name));
      const upstream = bench.pipeline.stages.findIndex(other => other.name === stage.upstream);
      const upstreamVariant = upstream < 0 ? ENTRY : (combination[upstream] ?? ENTRY);
      if (isFirstOfPrefix(bench.pipeline, combination, s)) {
        fanOut[stage.name] ??= {};
        const byVariant = fanOut[stage.name] ?? {};
        const before = byVariant[upstreamVariant] ?? { rows: 0, of: 0 };
        byVariant[upstreamVariant] = {
          rows: before.rows + rows,
          of: before.of + (rowsOf[stage.upstream ?? ""] ?? 1),
        };
      }
      rowsOf[stage.name] = rows;
    }
    const response = await bench.code.respond(context);
    // Through JSON, as a client would see it.
    const { correct, partsCorrect, parts } = bench.evaluation.score(parsed(response), item.label);
    combinations.push({ correct, partsCorrect, parts, signals: signalsOf(bench.code, context), stagesRight });
  }
  return { id: item.id, combinations, ...(await measureStages(bench, item, memo)), fanOut };
}

/** Among the combinations that are the same before stage `index`, so that its rows are counted once. */
function isFirstOfPrefix(pipeline: Pipeline, combination: Combination, index: number): boolean {
  return pipeline.stages.every((stage, s) => s < index || combination[s] === stage.variants[0]?.name);
}

async function measureStages(
  bench: ItemBench,
  item: LabelledItem,
  memo: Memo,
): Promise<Required<Pick<ItemResult, "stages" | "confidences">>> {
  const stages: Record<string, Record<string, boolean>> = {};
  const confidences: Record<string, Record<string, number>> = {};
  for (const [s, stage] of bench.pipeline.stages.entries()) {
    const variants: Record<string, boolean> = {};
    const sure: Record<string, number> = {};
    for (const variant of stage.variants) {
      const context = await idealContext(bench, item, stage.name);
      const outputs = await runStage(bench, context, s, variant.name, memo);
      variants[variant.name] = bench.evaluation.stageCorrect(context, item.label, stage.name);
      const confidence = findLeastConfidence(stage, outputs);
      if (confidence !== null) sure[variant.name] = confidence;
    }
    stages[stage.name] = variants;
    confidences[stage.name] = sure;
  }
  return { stages, confidences };
}

/** Null where the stage had no rows, or one of them has no confidence. */
function findLeastConfidence({ accuracy }: Stage, outputs: readonly Row[]): number | null {
  const kind = accuracy?.confidence;
  if (!accuracy || !kind) return null;
  let least = Number.POSITIVE_INFINITY;
  for (const { [accuracy.output]: tensor } of outputs) {
    if (!tensor || tensor.datatype === "FP16" || tensor.datatype === "BF16") return null;
    const elements: Iterable<number | bigint> = tensor.data;
    least = Math.min(least, findConfidence(Float64Array.from(elements, Number), kind) ?? Number.NaN);
  }
  return Number.isFinite(least) ? least : null;
}

/** The context that `stage` would have if all stages before it were right. */
export async function idealContext(
  bench: Pick<ItemBench, "code" | "evaluation">,
  item: LabelledItem,
  stage: string,
): Promise<unknown> {
  const context = await bench.code.decode(item.body, item.contentType);
  bench.evaluation.ideal(context, item.label, stage);
  return context;
}

/** @returns the outputs of the stage's rows. */
async function runStage(
  bench: ItemBench,
  context: unknown,
  index: number,
  variant: string,
  memo: Memo,
): Promise<readonly Row[]> {
  const stage = bench.pipeline.stages[index];
  if (!stage) return [];
  const code = bench.code.stages[stage.name] as StageCode<unknown>;
  const rows: readonly Row[] = await code.rows(context);
  checkRows(stage.name, stage.contract, rows);
  const outputs = await bench.models.infer(stage.name, variant, rows, memo);
  await code.collect(context, outputs);
  return outputs;
}

function parsed(response: unknown): unknown {
  return JSON.parse(JSON.stringify(response) ?? "null");
}
