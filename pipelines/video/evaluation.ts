import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Evaluation, LabelledItem, Score } from "../../gateway/stage.ts";
import { type Box, inWholePixels, matchBoxes } from "./box.ts";
import type { FrameContext } from "./context.ts";
import { PIPELINE_FOLDER } from "./folder.ts";
import type { FrameLabel } from "./frame.ts";
import { type RenderedFrame, renderFrame, renderSequence, type Scene } from "./generator/render-frame.ts";

/** A frame that is committed with the pipeline: `file` in the data folder. */
interface StoredFrame {
  readonly file: string;
  readonly label: FrameLabel;
}

/** Frames of drifted scenes have seeds from here on, so that no two sets have a frame in common. */
const DRIFT_SEEDS = 1_000_000;

/** Sequences have seeds from here on. */
const SEQUENCE_SEEDS = 2_000_000;
const SEQUENCE_FRAMES = 8;

/** Accuracy on rendered frames: first those in the data folder, then the generator's by their seed. */
export const evaluation: Evaluation<FrameContext, FrameLabel> = {
  async *items(count) {
    const stored = JSON.parse(await readFile(join(PIPELINE_FOLDER, "data/labels.json"), "utf8")) as StoredFrame[];
    for (const { file, label } of stored.slice(0, count)) {
      const body = await readFile(join(PIPELINE_FOLDER, "data", file));
      yield { id: file, body, contentType: "image/jpeg", label };
    }
    for (let seed = stored.length + 1; seed <= count; seed++) yield renderItem(seed, "day");
  },
  drifts: {
    night: count => driftItems(count, "night"),
    blur: count => driftItems(count, "blur"),
    small: count => driftItems(count, "small"),
  },
  confidences: ["leastObject", "leastClass"],
  async *sequences(count) {
    for (let seed = SEQUENCE_SEEDS; seed < SEQUENCE_SEEDS + count; seed++) {
      const frames = await renderSequence(seed, "day", SEQUENCE_FRAMES);
      yield frames.map((frame, i) => itemOf(`sequence-${seed}-${i}`, frame));
    }
  },
  score,
  ideal(context, label, stage) {
    if (stage === "classification") context.regions = label.objects.map(({ box }) => ({ box, score: 1 }));
  },
  stageCorrect(context, label, stage) {
    return stage === "detection" ? isDetectionRight(context, label) : isClassificationRight(context, label);
  },
};

async function* driftItems(count: number, scene: Scene): AsyncIterable<LabelledItem<FrameLabel>> {
  for (let i = 0; i < count; i++) yield renderItem(DRIFT_SEEDS + i, scene);
}

async function renderItem(seed: number, scene: Scene): Promise<LabelledItem<FrameLabel>> {
  return itemOf(`${scene}-${seed}`, await renderFrame(seed, scene));
}

function itemOf(id: string, { jpeg, label }: RenderedFrame): LabelledItem<FrameLabel> {
  return { id, body: jpeg, contentType: "image/jpeg", label };
}

/** Every object was found, and nothing else. */
function isDetectionRight({ regions }: FrameContext, { objects }: FrameLabel): boolean {
  const matches = matchBoxes(boxesOf(objects), answeredBoxes(regions));
  return regions.length === objects.length && matches.every(match => match >= 0);
}

/** Whatever it was given that is an object has its class; a region that is none has no right class, and is detection's mistake. */
function isClassificationRight({ regions, classified }: FrameContext, { objects }: FrameLabel): boolean {
  const matches = matchBoxes(boxesOf(objects), answeredBoxes(regions));
  return (
    classified.length === regions.length &&
    objects.every(({ class: name }, index) => {
      const match = matches[index] ?? -1;
      return match < 0 || classified[match]?.class === name;
    })
  );
}

/** A frame is right when every object was found and named, and nothing else. Parts right of parts is the objects' F1. */
function score(response: unknown, { objects }: FrameLabel): Score {
  const answered = (response as { objects?: unknown } | null)?.objects;
  const found = Array.isArray(answered) ? answered.filter(isFound) : [];
  const matches = matchBoxes(boxesOf(objects), boxesOf(found));
  const right = objects.filter(({ class: name }, index) => found[matches[index] ?? -1]?.class === name).length;
  return {
    correct: right === objects.length && found.length === objects.length && Array.isArray(answered),
    partsCorrect: 2 * right,
    parts: objects.length + found.length,
  };
}

function isFound(object: unknown): object is { readonly class: unknown; readonly box: Box } {
  const box = (object as { box?: unknown } | null)?.box;
  return Array.isArray(box) && box.length === 4 && box.every(Number.isFinite);
}

/** Judged as they are answered, so that a frame is right where all stages are. */
function answeredBoxes(regions: FrameContext["regions"]): Box[] {
  return regions.map(({ box }) => inWholePixels(box));
}

function boxesOf(objects: readonly { readonly box: Box }[]): Box[] {
  return objects.map(({ box }) => box);
}
