import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { CLIP_SAMPLES, SAMPLE_RATE } from "../../../../pipelines/audio/clip.ts";
import { decodeClip } from "../../../../pipelines/audio/decode.ts";
import { PIPELINE_FOLDER } from "../../../../pipelines/audio/folder.ts";
import { renderClip, SCENES } from "../../../../pipelines/audio/generator/render-clip.ts";
import type { Span } from "../../../../pipelines/audio/span.ts";
import { isCommand, WORDS } from "../../../../pipelines/audio/vocabulary.ts";

/** Mean power of a stretch. */
function power(clip: Float32Array, { start, end }: Span): number {
  const samples = clip.subarray(Math.round(start * SAMPLE_RATE), Math.round(end * SAMPLE_RATE));
  return samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
}

describe("renderClip()", () => {
  it("gives the same clip for the same seed and scene, and another for another", () => {
    const first = renderClip(7);
    assert.deepEqual(renderClip(7), first);
    assert.notDeepEqual(renderClip(8).label, first.label);
    for (const scene of SCENES.slice(1)) assert.notDeepEqual(renderClip(7, scene).clip, first.clip, scene);
  });

  it("says what the committed clips say", async () => {
    const labels = JSON.parse(await readFile(join(PIPELINE_FOLDER, "data/labels.json"), "utf8"));
    assert.equal(labels.length, 10);
    for (const [index, { file, label }] of labels.entries()) {
      const { clip, label: rendered } = renderClip(index + 1);
      assert.deepEqual(rendered, label);
      const stored = decodeClip(await readFile(join(PIPELINE_FOLDER, "data", file)), "audio/wav");
      assert.ok(
        stored.every((sample, at) => Math.abs(sample - (clip[at] ?? 9)) < 1e-4),
        file,
      );
    }
  });

  it("says commands, each word inside the clip and apart from all other sounds, and all words in time", () => {
    const said = new Set<string>();
    let events = 0;
    for (let seed = 1000; seed < 1200; seed++) {
      const { clip, label, events: others } = renderClip(seed);
      assert.equal(clip.length, CLIP_SAMPLES);
      assert.ok(clip.every(sample => Math.abs(sample) < 1));
      assert.ok(isCommand(label.words.map(({ word }) => word)), `${seed}`);
      for (const { word } of label.words) said.add(word);
      const spans = [...label.words, ...others].sort((a, b) => a.start - b.start);
      for (const [index, { start, end }] of spans.entries()) {
        assert.ok(start >= 0 && end <= 3, `${seed}`);
        assert.ok(index === 0 || start - (spans[index - 1]?.end ?? 0) > 0.17, `${seed}`);
      }
      events += others.length;
    }
    assert.deepEqual([...said].sort(), [...WORDS].sort());
    assert.ok(events > 50 && events < 150, `${events}`);
  });

  it("is louder where a word is than before the first, much less so in noise", () => {
    const gains = { usual: 0, noise: 0, accent: 0, synthesiser: 0 };
    for (const scene of SCENES) {
      for (let seed = 1; seed <= 30; seed++) {
        const { clip, label, events } = renderClip(seed, scene);
        const first = Math.min(...[...label.words, ...events].map(({ start }) => start));
        const quiet = power(clip, { start: 0, end: first });
        for (const word of label.words)
          gains[scene] += (10 * Math.log10(power(clip, word) / quiet)) / 30 / label.words.length;
      }
    }
    assert.ok(gains.usual > 6 && gains.accent > 6 && gains.synthesiser > 6, JSON.stringify(gains));
    assert.ok(gains.noise > 0.2 && gains.noise < 0.4 * gains.usual, JSON.stringify(gains));
  });
});
