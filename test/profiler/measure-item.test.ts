import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { loadCode } from "../../gateway/load-code.ts";
import type { PipelineCode } from "../../gateway/stage.ts";
import type { ItemResult } from "../../profiler/item-result.ts";
import { measureItem } from "../../profiler/measure-item.ts";
import { ModelBench } from "../../profiler/model-bench.ts";
import { readUnmeasured } from "../../profiler/read-unmeasured.ts";
import { writeOffsetPipeline } from "./offset-pipeline.ts";

interface Offsets {
  n: number;
  doubled: number;
  ends: readonly number[];
}

/** What no copy is made of. */
class Opaque {
  readonly a = 1;
}

describe("measureItem()", () => {
  const folder = writeOffsetPipeline();
  const file = join(folder, "pipeline.yaml");
  const pipeline = readUnmeasured(file);
  let models: ModelBench;
  let code: PipelineCode<Offsets>;

  before(async () => {
    models = await ModelBench.open(pipeline, folder);
    code = (await loadCode(pipeline, file)) as PipelineCode<Offsets>;
  });

  after(async () => {
    await models.close();
    rmSync(folder, { recursive: true });
  });

  /** Of 20 items, with how often the code decoded one and what it made of contexts. */
  async function measured(own: PipelineCode<Offsets>) {
    const { evaluation } = code;
    assert.ok(evaluation);
    const decoded: unknown[] = [];
    const counted = {
      ...own,
      decode: async (body: Uint8Array, contentType: string) => {
        const context = await own.decode(body, contentType);
        decoded.push(context);
        return context;
      },
    } as PipelineCode;
    const results: ItemResult[] = [];
    const bench = {
      pipeline,
      code: counted,
      models,
      evaluation: evaluation as NonNullable<PipelineCode["evaluation"]>,
    };
    for await (const item of evaluation.items(20)) results.push(await measureItem(bench, item));
    return { results, decodes: decoded.length / 20 };
  }

  /** Code whose contexts remember all that was done to them, deep inside, and answer it. */
  function remembering(kept: () => object): PipelineCode<Offsets> {
    type Remembering = Offsets & { readonly kept: { readonly seen: number[]; readonly sums: Float64Array } };
    const { first, second } = code.stages;
    assert.ok(first && second);
    const noted = (context: Offsets, value: number) => {
      const { seen, sums } = (context as Remembering).kept;
      seen.push(value);
      sums[0] = (sums[0] ?? 0) + value;
    };
    const noting = (stage: typeof first, valueIn: (context: Offsets) => number): typeof first => ({
      rows: context => {
        noted(context, -1);
        return stage.rows(context);
      },
      collect: async (context, outputs) => {
        await stage.collect(context, outputs);
        noted(context, valueIn(context));
      },
    });
    return {
      ...code,
      decode: async (body, contentType) => {
        const context = await code.decode(body, contentType);
        return { ...context, kept: { seen: [], sums: new Float64Array(1), ...kept() } };
      },
      stages: { first: noting(first, one => one.doubled), second: noting(second, one => one.ends[0] ?? 0) },
      signals: context => {
        const { seen, sums } = (context as Remembering).kept;
        return { ...Object.fromEntries(seen.map((value, i) => [`seen${i}`, value])), sum: sums[0] ?? 0 };
      },
    };
  }

  it("gives the same whether contexts are copied or each pass decodes anew, which it does where one can't be copied", async () => {
    const copied = await measured(remembering(() => ({})));
    const anew = await measured(remembering(() => ({ opaque: new Opaque() })));
    assert.deepEqual(copied.results, anew.results);
    assert.equal(copied.decodes, 1);
    assert.ok(anew.decodes > 6, String(anew.decodes));
    const [item] = copied.results;
    assert.deepEqual(
      item?.combinations.map(({ signals }) => signals),
      [
        [3, 9],
        [3, 6],
        [2, 7],
        [2, 4],
      ].map(([doubled = 0, end = 0]) => ({
        ...{ seen0: -1, seen1: doubled, seen2: -1, seen3: end },
        sum: doubled + end - 2,
      })),
    );
  });

  it("gives the same where only what a stage has collected can't be copied", async () => {
    const { first } = code.stages;
    assert.ok(first);
    const opaque: PipelineCode<Offsets> = {
      ...code,
      stages: {
        ...code.stages,
        first: {
          rows: context => first.rows(context),
          collect: async (context, outputs) => {
            await first.collect(context, outputs);
            Object.assign(context, { opaque: new Opaque() });
          },
        },
      },
    };
    const { results, decodes } = await measured(opaque);
    assert.deepEqual(results, (await measured(code)).results);
    assert.equal(decodes, 1);
  });
});
