/** The part `mixes`: how accurate answers are whose rows several variants served, against the shares of these variants times the measured table. */
import { findModelFolder } from "../../cli/folders.ts";
import { prepare } from "../../cli/prepare-models.ts";
import { withoutVariants } from "../../domain/without-variants.ts";
import { loadCode } from "../../gateway/load-code.ts";
import type { LabelledItem, Row, StageCode } from "../../gateway/stage.ts";
import { partSeed, seededRandom } from "../../load/seeded-random.ts";
import { combinationsOf } from "../../profiler/item-result.ts";
import type { ItemBench } from "../../profiler/measure-item.ts";
import { type Memo, ModelBench } from "../../profiler/model-bench.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import { pipelineFileAt } from "../../runtime/read-pipeline.ts";
import { type Figure, figure } from "../figure.ts";
import { rounded } from "../samples.ts";
import {
  averagePoints,
  compareByRows,
  expectAccuracy,
  type MixedAnswer,
  type RowDifference,
  type StageShares,
} from "./mixed-accuracy.ts";
import { say } from "./player.ts";

const ITEMS = 200;
const SHORT_ITEMS = 20;
const MIXES = 6;
const SEED = 1;

/** Chooses the variant of each row of a stage. */
type ChooseVariant = (stage: string) => string;

interface Answer {
  readonly isRight: boolean;
  /** Rows in all stages together. */
  readonly rows: number;
  readonly shares: StageShares;
}

export async function measureMixes(pipelines: readonly string[], isShort: boolean): Promise<Figure[]> {
  const differences: (readonly [string, RowDifference])[] = [];
  const whole: (readonly [string, number])[] = [];
  for (const name of pipelines) {
    const groups = compareByRows(await answerMixed(name, isShort ? SHORT_ITEMS : ITEMS));
    for (const group of groups) {
      say(
        `${name}, ${group.fewest} to ${group.most} rows: ${rounded(group.points)} points above shares × table (${rounded(group.rightPercent)} % right, ${group.answers} answers)`,
      );
      differences.push([`${name}, ${group.fewest} to ${group.most} rows`, group]);
    }
    whole.push([name, averagePoints(groups)]);
  }
  return [
    figure("ladder.mixes.worst", rounded(Math.max(...differences.map(([, { points }]) => Math.abs(points)))), {
      against: {
        ...Object.fromEntries(differences.map(([name, { points }]) => [name, rounded(points)])),
        ...Object.fromEntries(whole.map(([name, points]) => [`${name}, all`, rounded(points)])),
      },
      isWhole: !isShort,
      note: `points between the accuracy of answers whose rows were served by random variants and the shares of these times the table, both of the first ${isShort ? SHORT_ITEMS : ITEMS} labelled items, ${MIXES} mixes each; by the rows of a request in all stages, and beside them over all requests, where a difference is of mixing alone; each row by a variant of its own draw`,
    }),
  ];
}

/** Answers every item by random mixes, and once by each combination: what the table of these items says. */
async function answerMixed(name: string, count: number): Promise<readonly MixedAnswer[]> {
  const file = pipelineFileAt(name);
  const whole = readUnmeasured(file);
  const modelFolder = findModelFolder(process.env, undefined, whole, file);
  const { leftOut } = await prepare(whole, file, modelFolder, () => undefined);
  const pipeline = withoutVariants(whole, leftOut);
  const code = await loadCode(pipeline, file);
  const { evaluation } = code;
  if (!evaluation) throw new Error(`${file} has no labelled items`);
  const models = await ModelBench.open(pipeline, modelFolder);
  const bench = { pipeline, code, evaluation, models };
  const combinations = combinationsOf(pipeline);
  const rightByCombination = combinations.map(() => 0);
  const random = seededRandom(partSeed(SEED, 1));
  const answers: Answer[] = [];
  let items = 0;
  try {
    for await (const item of evaluation.items(count)) {
      const memo: Memo = new Map();
      for (const [at, combination] of combinations.entries()) {
        const variants = new Map(pipeline.stages.map((stage, s) => [stage.name, combination[s] ?? ""]));
        const { isRight } = await answerItem(bench, item, stage => variants.get(stage) ?? "", memo);
        rightByCombination[at] = (rightByCombination[at] ?? 0) + Number(isRight);
      }
      for (let mix = 0; mix < MIXES; mix += 1)
        answers.push(await answerItem(bench, item, drawMix(pipeline.stages, random), memo));
      items += 1;
      if (items % SHORT_ITEMS === 0) say(`${name}: ${items} of ${count} items`);
    }
  } finally {
    await models.close();
  }
  const stages = pipeline.stages.map(stage => stage.name);
  const table = combinations.map((variants, at) => ({ variants, accuracy: (rightByCombination[at] ?? 0) / items }));
  return answers.map(({ isRight, rows, shares }) => ({
    isRight,
    rows,
    expected: expectAccuracy(stages, shares, table),
  }));
}

/** Random shares of a stage's variants, by which each row draws its own. */
function drawMix(stages: ItemBench["pipeline"]["stages"], random: () => number): ChooseVariant {
  const mixes = new Map(
    stages.map(({ name, variants }) => [name, variants.map(variant => ({ name: variant.name, weight: random() }))]),
  );
  return stage => {
    const mix = mixes.get(stage) ?? [];
    let left = random() * mix.reduce((sum, { weight }) => sum + weight, 0);
    for (const { name, weight } of mix) {
      left -= weight;
      if (left < 0) return name;
    }
    return mix.at(-1)?.name ?? "";
  };
}

async function answerItem(
  { pipeline, code, evaluation, models }: ItemBench,
  item: LabelledItem,
  choose: ChooseVariant,
  memo: Memo,
): Promise<Answer> {
  const context = await code.decode(item.body, item.contentType);
  const shares: Record<string, Record<string, number>> = {};
  let all = 0;
  for (const { name } of pipeline.stages) {
    const stage = code.stages[name] as StageCode<unknown>;
    const rows: readonly Row[] = await stage.rows(context);
    const served: Record<string, number> = {};
    const outputs: Row[] = [];
    for (const row of rows) {
      const variant = choose(name);
      served[variant] = (served[variant] ?? 0) + 1 / rows.length;
      outputs.push(...(await models.infer(name, variant, [row], memo)));
    }
    await stage.collect(context, outputs);
    shares[name] = served;
    all += rows.length;
  }
  // A client sees the answer as JSON.
  const response: unknown = JSON.parse(JSON.stringify(await code.respond(context)) ?? "null");
  return { isRight: evaluation.score(response, item.label).correct, rows: all, shares };
}
