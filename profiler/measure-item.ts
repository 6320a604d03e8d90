import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { checkRows } from "../gateway/infer-codec.ts";
import { signalsOf } from "../gateway/signals.ts";
import type { Evaluation, LabelledItem, PipelineCode, Row, StageCode } from "../gateway/stage.ts";
import type { ItemResult } from "./item-result.ts";
import type { Memo, ModelBench } from "./model-bench.ts";
import { plainCopy } from "./plain-copy.ts";

/** A pipeline's code with its evaluation, and its models. */
export interface ItemBench {
  readonly pipeline: Pipeline;
  readonly code: PipelineCode;
  readonly evaluation: Evaluation;
  readonly models: Pick<ModelBench, "infer">;
}

/** One item on its way, and what has come of it so far. */
interface Pass {
  readonly bench: ItemBench;
  readonly item: LabelledItem;
  readonly memo: Memo;
  readonly combinations: ItemResult["combinations"][number][];
  readonly fanOut: Record<string, Record<string, { rows: number; of: number }>>;
}

/** Makes a context like another one. */
type Make = () => Promise<unknown>;

/** A stage that one of its variants has answered. */
interface Collected {
  readonly variant: string;
  readonly rows: number;
  readonly isRight: boolean;
  readonly context: unknown;
  readonly make: Make;
}

/**
 * Takes one item through every combination of variants, and through every variant alone on right inputs; in both each stage is judged
 * by what it got. What passes have in common is inferred once, and where contexts can be copied the pipeline's code does it once, too.
 */
export async function measureItem(bench: ItemBench, item: LabelledItem): Promise<ItemResult> {
  const pass: Pass = { bench, item, memo: new Map(), combinations: [], fanOut: {} };
  const decode: Make = async () => bench.code.decode(item.body, item.contentType);
  const context = await decode();
  const make: Make = () => another(context, decode);
  await measureFrom(pass, await make(), make, []);
  const stages: Record<string, Record<string, boolean>> = {};
  for (const stage of bench.pipeline.stages) stages[stage.name] = await measureStage(pass, stage, make);
  return { id: item.id, combinations: pass.combinations, stages, fanOut: pass.fanOut };
}

/** Takes a context through the stages that are left, by every combination of their variants; the last stage varies fastest. */
async function measureFrom(pass: Pass, context: unknown, make: Make, before: readonly Collected[]): Promise<void> {
  const stage = pass.bench.pipeline.stages[before.length];
  if (!stage) {
    pass.combinations.push(await combinationOf(pass, context, before));
    return;
  }
  for await (const collected of collectedOf(pass, stage, context, make)) {
    // All variants get the same rows.
    if (collected.variant === stage.variants[0]?.name) countRows(pass, stage, collected.rows, before);
    await measureFrom(pass, collected.context, collected.make, [...before, collected]);
  }
}

function countRows({ bench, fanOut }: Pass, stage: Stage, rows: number, before: readonly Collected[]): void {
  const upstream = before[bench.pipeline.stages.findIndex(({ name }) => name === stage.upstream)];
  if (!upstream) return;
  fanOut[stage.name] ??= {};
  const byVariant = fanOut[stage.name] ?? {};
  const counted = byVariant[upstream.variant] ?? { rows: 0, of: 0 };
  byVariant[upstream.variant] = { rows: counted.rows + rows, of: counted.of + upstream.rows };
}

async function combinationOf({ bench, item }: Pass, context: unknown, stages: readonly Collected[]) {
  const response = await bench.code.respond(context);
  // Through JSON, as a client would see it.
  const { correct, partsCorrect, parts } = bench.evaluation.score(parsed(response), item.label);
  const stagesRight = stages.map(({ isRight }) => isRight);
  return { correct, partsCorrect, parts, signals: signalsOf(bench.code, context), stagesRight };
}

async function measureStage(pass: Pass, stage: Stage, make: Make): Promise<Record<string, boolean>> {
  const { bench, item } = pass;
  const makeIdeal: Make = async () => {
    const context = await make();
    bench.evaluation.ideal(context, item.label, stage.name);
    return context;
  };
  const variants: Record<string, boolean> = {};
  for await (const { variant, isRight } of collectedOf(pass, stage, await makeIdeal(), makeIdeal))
    variants[variant] = isRight;
  return variants;
}

/** A context by each variant of a stage, one after the other. */
async function* collectedOf(pass: Pass, stage: Stage, context: unknown, make: Make): AsyncIterable<Collected> {
  const { evaluation, models, code } = pass.bench;
  const stageCode = code.stages[stage.name] as StageCode<unknown>;
  const rows: readonly Row[] = await stageCode.rows(context);
  checkRows(stage.name, stage.contract, rows);
  const makeAsked: Make = async () => {
    const asked = await make();
    await stageCode.rows(asked);
    return asked;
  };
  for (const { name: variant } of stage.variants) {
    const outputs = await models.infer(stage.name, variant, rows, pass.memo);
    const makeOwn: Make = async () => {
      const own = await makeAsked();
      await stageCode.collect(own, outputs);
      return own;
    };
    // The last one needs no copy.
    const own = variant === stage.variants.at(-1)?.name ? context : await another(context, makeAsked);
    await stageCode.collect(own, outputs);
    const isRight = evaluation.stageCorrect(own, pass.item.label, stage.name);
    yield { variant, rows: rows.length, isRight, context: own, make: makeOwn };
  }
}

/** A context like this one. */
async function another(context: unknown, make: Make): Promise<unknown> {
  const copy = plainCopy(context);
  return copy === null ? await make() : copy.value;
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

function parsed(response: unknown): unknown {
  return JSON.parse(JSON.stringify(response) ?? "null");
}
