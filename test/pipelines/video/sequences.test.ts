import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { SequenceMemory } from "../../../gateway/sequence-memory.ts";
import type { PipelineCode } from "../../../gateway/stage.ts";
import { prepareModels } from "../../../models/prepare.ts";
import type { Box } from "../../../pipelines/video/box.ts";
import type { FrameContext } from "../../../pipelines/video/context.ts";
import { PIPELINE_FOLDER } from "../../../pipelines/video/folder.ts";
import type { FrameLabel, LabelledObject, ObjectClass } from "../../../pipelines/video/frame.ts";
import code from "../../../pipelines/video/index.ts";
import { recipes } from "../../../pipelines/video/models.ts";
import { readPipeline } from "../../../runtime/read-pipeline.ts";
import { openVariant } from "../check-contracts.ts";
import { runRows } from "../run-rows.ts";

const SEQUENCES = 6;

async function labelledSequences() {
  const taken = [];
  for await (const items of code.evaluation?.sequences?.(SEQUENCES) ?? []) taken.push(items);
  return taken;
}

/** As if these objects had been found. */
function contextOf(objects: readonly LabelledObject[]): FrameContext {
  return {
    frame: { width: 320, height: 240, data: new Uint8Array(320 * 240) },
    regions: objects.map(({ box }) => ({ box, score: 0.9 })),
    classified: objects.map(({ class: name }) => ({ class: name, confidence: 0.9 })),
  };
}

/** What is broken on each of these frames; null where there is nothing before it. */
function broken(frames: readonly (readonly LabelledObject[])[]): (readonly string[] | null)[] {
  const memory = new SequenceMemory(code as PipelineCode);
  return frames.map((objects, number) => memory.broken({ id: "camera", number }, contextOf(objects)));
}

const at = (left: number, name: ObjectClass = "car"): LabelledObject => ({
  class: name,
  box: [left, 50, left + 40, 65],
});

describe("assertions over frames of a camera", () => {
  it("hold of sequences as they were drawn", async () => {
    for (const items of await labelledSequences()) {
      const found = broken(items.map(({ label }) => label.objects));
      assert.deepEqual(found, [null, ...items.slice(1).map(() => [])]);
    }
  });

  it("tell an object that is there, or is not, for one frame", () => {
    const other = at(200);
    assert.deepEqual(broken([[other], [other, at(10)], [other]]), [null, [], ["noFlicker"]]);
    assert.deepEqual(broken([[other, at(10)], [other], [other, at(12)]]), [null, [], ["noFlicker"]]);
    assert.deepEqual(broken([[other], [other, at(10)], [other, at(12)], [other]]), [null, [], [], []]);
    assert.deepEqual(broken([[], [at(10)], [at(60)]]).at(-1), ["noFlicker"]);
  });

  it("tell an object whose class changes, wherever it stands in the list", () => {
    assert.deepEqual(
      broken([
        [at(10), at(200)],
        [at(202, "van"), at(12)],
      ]),
      [null, ["steadyClasses"]],
    );
    assert.deepEqual(broken([[at(10)], [at(12)], [at(60, "van")]]).at(1), []);
    assert.deepEqual(
      broken([
        [at(10), at(200)],
        [at(202), at(12)],
      ]),
      [null, []],
    );
  });

  it("draw sequences that go on from frame to frame, none with a frame of the others", async () => {
    const all = await labelledSequences();
    assert.equal(new Set(all.flat().map(({ id }) => id)).size, SEQUENCES * 8);
    assert.ok(
      all.some(([first, second]) => first?.label.objects.some(({ box }, i) => hasMoved(box, second?.label, i))),
    );
    for (const { label } of all.flat())
      for (const { box } of label.objects) assert.ok(box[0] >= 0 && box[2] <= 320, `${box}`);
    const again = await labelledSequences();
    assert.deepEqual(Buffer.from(again[2]?.[3]?.body ?? []), Buffer.from(all[2]?.[3]?.body ?? [0]));
    assert.notDeepEqual(all[0]?.[0]?.body, all[0]?.[1]?.body);
  });
});

function hasMoved(box: Box, next: FrameLabel | undefined, index: number): boolean {
  return Math.abs((next?.objects[index]?.box[0] ?? box[0]) - box[0]) > 0.5;
}

describe("assertions over frames, of what models find", () => {
  let models: string;

  before(async () => {
    models = await mkdtemp(join(tmpdir(), "variscale-video-"));
    await prepareModels(recipes, { targetDir: models });
  });

  after(() => rm(models, { recursive: true }));

  /** Of the right and of the wrong answers that have one before them, those that break an assertion. */
  async function sharesBroken(detector: string, classifier: string) {
    const pipeline = readPipeline(PIPELINE_FOLDER);
    const sessions = {
      detection: await openVariant(pipeline, models, "detection", detector),
      classification: await openVariant(pipeline, models, "classification", classifier),
    };
    const memory = new SequenceMemory(code as PipelineCode);
    const counts = { right: { broken: 0, of: 0 }, wrong: { broken: 0, of: 0 } };
    for (const [s, items] of (await labelledSequences()).entries()) {
      for (const [number, { body, contentType, label }] of items.entries()) {
        const context = await code.decode(body, contentType);
        for (const [stage, session] of Object.entries(sessions)) {
          const part = code.stages[stage];
          assert.ok(part);
          await part.collect(context, await runRows(session, await part.rows(context), 8));
        }
        const found = memory.broken({ id: `${s}`, number }, context);
        assert.equal(found === null, number === 0);
        const isRight = code.evaluation?.score(JSON.parse(JSON.stringify(code.respond(context))), label).correct;
        const count = counts[isRight ? "right" : "wrong"];
        if (found === null) continue;
        count.of += 1;
        count.broken += found.length > 0 ? 1 : 0;
      }
    }
    for (const session of Object.values(sessions)) await session.release();
    return counts;
  }

  it("are broken by wrong answers more often than by right ones", async () => {
    const light = await sharesBroken("small", "small");
    const heavy = await sharesBroken("large", "medium");
    const share = ({ broken: some, of }: { broken: number; of: number }) => some / of;
    assert.ok(share(light.wrong) > 0.2, JSON.stringify(light));
    for (const counts of [light, heavy]) assert.ok(share(counts.wrong) > share(counts.right), JSON.stringify(counts));
    assert.ok(heavy.wrong.broken + heavy.right.broken < light.wrong.broken + light.right.broken);
  });
});
