import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { brokenAssertions } from "../../../gateway/signals.ts";
import type { PipelineCode } from "../../../gateway/stage.ts";
import type { ClipContext } from "../../../pipelines/audio/context.ts";
import { renderClip, type SCENES } from "../../../pipelines/audio/generator/render-clip.ts";
import code from "../../../pipelines/audio/index.ts";
import type { Word } from "../../../pipelines/audio/vocabulary.ts";

const broken = (context: ClipContext): string[] => brokenAssertions(code as PipelineCode, context);

/** A clip and its words as they were said. */
function heardClip(seed: number, scene: (typeof SCENES)[number] = "usual"): ClipContext {
  const { clip, label } = renderClip(seed, scene);
  return {
    clip,
    segments: label.words.map(({ start, end }) => ({ start, end, score: 0.9 })),
    recognised: label.words.map(({ word }) => ({ word, confidence: 0.9, agreed: true })),
  };
}

/** The first recognition of a clip with a change. */
function changed(context: ClipContext, change: Partial<ClipContext["recognised"][number]>): ClipContext {
  const [first, ...rest] = context.recognised;
  assert.ok(first);
  return { ...context, recognised: [{ ...first, ...change }, ...rest] };
}

const usual = heardClip(1);

describe("assertions", () => {
  it("hold of every clip as it was said", () => {
    for (let seed = 2000; seed < 2100; seed++) assert.deepEqual(broken(heardClip(seed)), [], `${seed}`);
  });

  it("tell no words, words that are no command, windows that differ, and words that are guessed", () => {
    assert.deepEqual(broken({ ...usual, segments: [], recognised: [] }), ["someWord", "command"]);
    assert.deepEqual(broken({ ...usual, recognised: usual.recognised.toReversed() }), ["command"]);
    assert.deepEqual(broken(changed(usual, { agreed: false })), ["windowsAgree"]);
    assert.deepEqual(broken(changed(usual, { confidence: 0.3 })), ["sureWords"]);
    const [first, ...rest] = changed(usual, { confidence: 0.3 }).segments;
    assert.ok(first);
    const unsure = { ...usual, segments: [{ ...first, score: 0.6 }, ...rest] };
    assert.deepEqual(broken(changed(unsure, { confidence: 0.3 })), []);
  });

  it("tell words that are too short or too long for the time with voice", () => {
    const words = ["blind", "close"] as const satisfies readonly Word[];
    const said = (seconds: number): ClipContext => ({
      clip: Float32Array.from({ length: 24_000 }, (_, at) => (at > 4000 && at < 22_000 ? Math.sin(at) : 0)),
      segments: words.map((_, index) => ({ start: 0.6 + 1.1 * index, end: 0.6 + 1.1 * index + seconds, score: 0.9 })),
      recognised: words.map(word => ({ word, confidence: 0.9, agreed: true })),
    });
    assert.deepEqual(broken(said(0.5)), []);
    assert.deepEqual(broken(said(0.2)), ["voicedTime"]);
    assert.deepEqual(broken(said(0.95)), ["voicedTime"]);
  });

  it("tell a word where nothing is heard", () => {
    const [first, ...rest] = usual.segments;
    assert.ok(first && first.start > first.end - first.start);
    const silent = { ...first, start: 0, end: first.end - first.start };
    const clip = usual.clip.slice();
    for (let at = 0; at < silent.end * 8000; at++) clip[at] = at % 2 ? 0.001 : -0.001;
    assert.deepEqual(broken({ ...usual, clip, segments: [silent, ...rest] }), ["audibleWords"]);
  });
});
