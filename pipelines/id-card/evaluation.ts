import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Evaluation, LabelledItem, Score } from "../../gateway/stage.ts";
import { type CardLabel, FIELDS } from "./card.ts";
import type { CardContext } from "./context.ts";
import { PIPELINE_FOLDER } from "./folder.ts";
import type { Condition } from "./generator/photograph.ts";
import { type CardRenderer, openCardRenderer } from "./generator/render-card.ts";
import type { Quad } from "./quad.ts";
import { isDetectionRight, isRecognitionRight } from "./stage-correct.ts";

/** A card that is committed with the pipeline: `file` in the data folder. */
interface StoredCard {
  readonly file: string;
  readonly label: CardLabel;
}

/** Generated cards are kept: profiles go through the same items once per combination of variants. */
const rendered = new Map<number, LabelledItem<CardLabel>>();
const MAX_RENDERED = 2000;

/** Cards of drifted photos have seeds from here on, so that no two sets have a card in common. */
const DRIFT_SEEDS = 1_000_000;

/** Accuracy on rendered cards: first those in the data folder, then the generator's by their seed. */
export const evaluation: Evaluation<CardContext, CardLabel> = {
  async *items(count) {
    const stored = JSON.parse(await readFile(join(PIPELINE_FOLDER, "data/labels.json"), "utf8")) as StoredCard[];
    // Where cards can't be rendered, that is said before the first one is used.
    const render = count > stored.length ? openCardRenderer() : null;
    for (const { file, label } of stored.slice(0, count)) {
      const body = await readFile(join(PIPELINE_FOLDER, "data", file));
      yield { id: file, body, contentType: "image/jpeg", label };
    }
    if (render === null) return;
    for (let seed = stored.length + 1; seed <= count; seed++)
      yield rendered.get(seed) ?? (await renderItem(seed, render));
  },
  drifts: {
    dark: count => driftItems(count, "dark"),
    unfocused: count => driftItems(count, "unfocused"),
    glare: count => driftItems(count, "glare"),
  },
  confidences: ["leastRegion", "leastLine"],
  score,
  ideal(context, label, stage) {
    if (stage !== "recognition") return;
    const all = [...FIELDS.map(field => label.fields[field]), ...label.others];
    context.regions = all.map(({ quad }) => ({ quad: loosen(quad), score: 1 }));
  },
  stageCorrect(context, label, stage) {
    return stage === "detection" ? isDetectionRight(context, label) : isRecognitionRight(context, label);
  },
};

async function* driftItems(count: number, condition: Condition): AsyncIterable<LabelledItem<CardLabel>> {
  const render = openCardRenderer();
  for (let seed = DRIFT_SEEDS; seed < DRIFT_SEEDS + count; seed++) {
    const { jpeg, label } = await render(seed, condition);
    yield { id: `${condition}-${seed}`, body: jpeg, contentType: "image/jpeg", label };
  }
}

async function renderItem(seed: number, render: CardRenderer): Promise<LabelledItem<CardLabel>> {
  const { jpeg, label } = await render(seed);
  const item = { id: `seed-${seed}`, body: jpeg, contentType: "image/jpeg", label };
  if (rendered.size < MAX_RENDERED) rendered.set(seed, item);
  return item;
}

/** A card is right when all five fields are. */
function score(response: unknown, label: CardLabel): Score {
  const fields = (response as { fields?: Partial<Record<string, unknown>> } | null)?.fields ?? {};
  const partsCorrect = FIELDS.filter(field => fields[field] === label.fields[field].text).length;
  return { correct: partsCorrect === FIELDS.length, partsCorrect, parts: FIELDS.length };
}

/** The margin of a good detector around the ink: a quarter of its height. */
function loosen(quad: Quad): Quad {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = quad;
  const margin = Math.hypot(x3 - x0, y3 - y0) / 4;
  return [x0 - margin, y0 - margin, x1 + margin, y1 - margin, x2 + margin, y2 + margin, x3 - margin, y3 + margin];
}
