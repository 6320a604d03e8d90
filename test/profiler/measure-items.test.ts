import assert from "node:assert/strict";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { LabelledItem } from "../../gateway/stage.ts";
import { accuracyOf, fanOutOf, type ItemResult } from "../../profiler/item-result.ts";
import { measureItems } from "../../profiler/measure-items.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import { descendants } from "../cli/support/processes.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

describe("measureItems()", function () {
  this.timeout(60_000);

  let folder: string;
  let measured: string[];

  beforeEach(() => {
    folder = writeOffsetPipeline();
    measured = [];
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const measure = (
    items: AsyncIterable<LabelledItem>,
    known?: (item: LabelledItem) => ItemResult | undefined,
    jobs?: number,
  ) =>
    measureItems(items, {
      pipeline: readUnmeasured(join(folder, "pipeline.yaml")),
      file: join(folder, "pipeline.yaml"),
      modelFolder: folder,
      jobs: jobs ?? null,
      ...(known && { known }),
      onMeasured: ({ id }) => void measured.push(id),
    });

  /** Those with an even number tolerate what `light` is off by. */
  async function* numbered(count: number, labelOf = (n: number): unknown => ({ n, tolerance: n % 2 === 0 ? 4 : 0 })) {
    for (let n = 1; n <= count; n++)
      yield { id: `item-${n}`, body: Buffer.from(String(n)), contentType: "text/plain", label: labelOf(n) };
  }

  it("gives results in the order of the items, whichever is measured first", async () => {
    const results = await measure(numbered(30));
    const ids = Array.from({ length: 30 }, (_, i) => `item-${i + 1}`);
    assert.deepEqual(
      results.map(({ id }) => id),
      ids,
    );
    assert.deepEqual(measured.toSorted(), ids.toSorted());
    assert.deepEqual(
      results.slice(0, 2).map(({ combinations }) => combinations.map(({ correct }) => correct)),
      [
        [false, false, false, true],
        [false, true, true, true],
      ],
    );
  });

  it("learns from which confidence on each variant is right as often as it was on the items", async () => {
    const path = join(folder, "pipeline.yaml");
    const text = readFileSync(path, "utf8");
    const withSigns = text.replace(
      "    - name: second",
      "      accuracy: { output: y, confidence: max }\n    - name: second",
    );
    assert.notEqual(withSigns, text);
    writeFileSync(path, withSigns);
    const results = await measure(numbered(8));
    // Twice the item's number, and one more with `light`, which is right on even numbers alone.
    assert.deepEqual(results[2]?.confidences?.["first"], { light: 7, heavy: 6 });
    const { first, second } = accuracyOf(readUnmeasured(path), results)?.stages ?? {};
    assert.deepEqual([first?.["light"]?.accuracy, first?.["light"]?.confidenceThreshold], [0.5, 11]);
    assert.deepEqual([first?.["heavy"]?.accuracy, first?.["heavy"]?.confidenceThreshold], [1, 2]);
    assert.equal(second?.["heavy"]?.confidenceThreshold, undefined);
  });

  it("counts the rows that a request makes at the entry stage", async () => {
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    writeFileSync(
      join(folder, "code.mjs"),
      code.replace("rows: context => [rowOf(context.n)]", "rows: ({ n }) => new Array(n).fill(rowOf(n))"),
    );
    // Requests of one, two, three and four rows.
    const fanOut = fanOutOf(readUnmeasured(join(folder, "pipeline.yaml")), await measure(numbered(4)));
    assert.deepEqual(fanOut?.["first"], { rowsPerRequest: 2.5 });
    assert.deepEqual(fanOut?.["second"], { upstream: "first", rowsByVariant: { light: 1.2, heavy: 0.8 } });
  });

  it("measures nothing that is known", async () => {
    const [first] = await measure(numbered(1));
    measured = [];
    const results = await measure(numbered(3), ({ id }) => (id === "item-1" ? first : undefined));
    assert.equal(results[0], first);
    assert.deepEqual(measured.toSorted(), ["item-2", "item-3"]);
  });

  it("starts no more processes than it may, whose work comes in order then", async () => {
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, descendants(process.pid).length);
    }, 20);
    try {
      await measure(numbered(30), undefined, 1);
    } finally {
      clearInterval(watch);
    }
    assert.equal(most, 1);
    assert.deepEqual(
      measured,
      Array.from({ length: 30 }, (_, i) => `item-${i + 1}`),
    );
  });

  it("starts no process where there is nothing to measure", async () => {
    const [first] = await measure(numbered(1));
    writeFileSync(join(folder, "code.mjs"), "export default null;");
    assert.deepEqual(await measure(numbered(1), () => first), [first]);
  });

  it("says what a model or the code of the pipeline has against it", async () => {
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    writeFileSync(
      join(folder, "code.mjs"),
      code.replace("collect: (context, [output])", "missing: (context, [output])"),
    );
    await assert.rejects(measure(numbered(4)), {
      code: "failed_precondition",
      message: /`stages.first` is not an object with the functions/,
    });
    writeFileSync(join(folder, "code.mjs"), code);
    appendFileSync(join(folder, "second-heavy.onnx"), "x");
    await assert.rejects(measure(numbered(4)), {
      code: "failed_precondition",
      message: /second-heavy.onnx has sha256/,
    });
  });

  it("says which item has a label that can't be sent", async () => {
    const labels = (n: number): unknown => (n === 2 ? { n, check: () => true } : { n, tolerance: 0 });
    await assert.rejects(measure(numbered(2, labels)), {
      code: "failed_precondition",
      message: /item `item-2` can't be sent to the process that measures it: .* Let labels be plain data/,
    });
  });

  it("fails where a process ends, and ends the others", async () => {
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    const ending = "decode: body => { if (Number(Buffer.from(body).toString()) === 3) process.exit(7); return (";
    writeFileSync(
      join(folder, "code.mjs"),
      code.replace("decode: body => (", ending).replace("ends: [] }),", "ends: [] }); },"),
    );
    await assert.rejects(measure(numbered(20)), {
      code: "failed_precondition",
      message: /a process that measures items ended with exit code 7\. .*`--jobs` takes fewer/,
    });
    assert.deepEqual(descendants(process.pid), []);
  });

  it("gives up the items where measuring one fails", async () => {
    let isReturned = false;
    async function* watched(): AsyncGenerator<LabelledItem> {
      try {
        yield* numbered(1000);
      } finally {
        isReturned = true;
      }
    }
    const code = readFileSync(join(folder, "code.mjs"), "utf8");
    writeFileSync(
      join(folder, "code.mjs"),
      code.replace(
        "respond: ({ ends }) =>",
        'respond: ({ ends }) => { throw new Error("no answer"); },\n  other: ({ ends }) =>',
      ),
    );
    await assert.rejects(measure(watched()), /no answer/);
    assert.ok(isReturned);
    assert.deepEqual(measured, []);
  });
});
