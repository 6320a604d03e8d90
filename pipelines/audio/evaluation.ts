import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Evaluation, LabelledItem, Score } from "../../gateway/stage.ts";
import type { ClipLabel } from "./clip.ts";
import type { ClipContext } from "./context.ts";
import { PIPELINE_FOLDER } from "./folder.ts";
import { renderClip, type Scene } from "./generator/render-clip.ts";
import { matchSpans, overlap } from "./span.ts";
import { encodeWav } from "./wav.ts";

/** A clip that is committed with the pipeline: `file` in the data folder. */
interface StoredClip {
  readonly file: string;
  readonly label: ClipLabel;
}

/** Clips of drifted scenes have seeds from here on, so that no two sets have a clip in common. */
const DRIFT_SEEDS = 1_000_000;

const CONTENT_TYPE = "audio/wav";

/** Accuracy on synthesised clips: first those in the data folder, then the generator's by their seed. */
export const evaluation: Evaluation<ClipContext, ClipLabel> = {
  async *items(count) {
    const stored = JSON.parse(await readFile(join(PIPELINE_FOLDER, "data/labels.json"), "utf8")) as StoredClip[];
    for (const { file, label } of stored.slice(0, count)) {
      const body = await readFile(join(PIPELINE_FOLDER, "data", file));
      yield { id: file, body, contentType: CONTENT_TYPE, label };
    }
    for (let seed = stored.length + 1; seed <= count; seed++) yield renderItem(seed, "usual");
  },
  drifts: {
    noise: count => driftItems(count, "noise"),
    accent: count => driftItems(count, "accent"),
    synthesiser: count => driftItems(count, "synthesiser"),
  },
  confidences: ["leastVoice", "leastWord"],
  score,
  ideal(context, label, stage) {
    if (stage === "keyword") context.segments = label.words.map(({ start, end }) => ({ start, end, score: 1 }));
  },
  stageCorrect(context, label, stage) {
    return stage === "voice-activity" ? isVoiceRight(context, label) : isKeywordRight(context, label);
  },
};

async function* driftItems(count: number, scene: Scene): AsyncIterable<LabelledItem<ClipLabel>> {
  for (let i = 0; i < count; i++) yield renderItem(DRIFT_SEEDS + i, scene);
}

function renderItem(seed: number, scene: Scene): LabelledItem<ClipLabel> {
  const { clip, label } = renderClip(seed, scene);
  return { id: `${scene}-${seed}`, body: encodeWav(clip), contentType: CONTENT_TYPE, label };
}

/** Every word has its segment, and there are no others. */
function isVoiceRight({ segments }: ClipContext, { words }: ClipLabel): boolean {
  return segments.length === words.length && matchSpans(words, segments).every(match => match >= 0);
}

/**
 * Whatever it was given that is a word was taken for that word, and what has nothing of any word for none. A segment with a part of
 * a word has no right answer, and is the mistake of voice activity.
 */
function isKeywordRight({ segments, recognised }: ClipContext, { words }: ClipLabel): boolean {
  const matches = matchSpans(words, segments);
  return (
    recognised.length === segments.length &&
    words.every(({ word }, index) => {
      const match = matches[index] ?? -1;
      return match < 0 || recognised[match]?.word === word;
    }) &&
    segments.every(
      (segment, index) => words.some(word => overlap(word, segment) > 0) || recognised[index]?.word === null,
    )
  );
}

/** A clip is right when its words were heard as they were said, and no others. Parts right of parts is the words' F1. */
function score(response: unknown, label: ClipLabel): Score {
  const answered = (response as { words?: unknown } | null)?.words;
  const heard = (Array.isArray(answered) ? answered : []).map(word => (word as { word?: unknown } | null)?.word);
  const said = label.words.map(({ word }) => word);
  const right = commonLength(said, heard);
  return {
    correct: right === said.length && heard.length === said.length && Array.isArray(answered),
    partsCorrect: 2 * right,
    parts: said.length + heard.length,
  };
}

/** Length of the longest common subsequence: the words that are right in their order. */
function commonLength(said: readonly unknown[], heard: readonly unknown[]): number {
  let row: readonly number[] = heard.map(() => 0);
  for (const word of said) {
    const next: number[] = [];
    for (const [index, other] of heard.entries()) {
      const both = (row[index - 1] ?? 0) + 1;
      next.push(word === other ? both : Math.max(row[index] ?? 0, next[index - 1] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
