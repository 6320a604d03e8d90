import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { definePipeline, type PipelineCode, type Row } from "../../gateway/stage.ts";
import { AFFINE, affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { numberPipeline, stageOf, startNumberGateway, type TestGateway } from "./number-pipeline.ts";

interface Doubles {
  readonly numbers: readonly number[];
  values: number[];
}

const code = definePipeline<Doubles, unknown>({
  decode: body => ({ numbers: JSON.parse(Buffer.from(body).toString()) as number[], values: [] }),
  stages: {
    affine: {
      rows: ({ numbers }) =>
        numbers.map((n): Row => ({ x: { datatype: "FP32", shape: [2], data: new Float32Array([n, n]) } })),
      collect: (context, outputs) => {
        context.values = outputs.map(output => Number(output["y"]?.data[1]));
      },
    },
  },
  respond: ({ values }) => values,
});

describe("the gateway over real variant-switchers", () => {
  const folder = new TestFolder();
  let switchers: TestSwitcher[];
  let started: TestGateway;

  before(async () => {
    const configs = ["affine-0", "affine-1"].map(pod => affineConfig(folder.path, { pod }));
    switchers = await Promise.all(configs.map(config => TestSwitcher.startReady(config)));
    const base = numberPipeline(8000);
    const { contract } = affineConfig(folder.path) as unknown as Pick<ReturnType<typeof stageOf>, "contract">;
    const variants = ["a", "b", "c"].map(name => ({ ...stageOf(base, "read").variants[0]!, name }));
    const stage = { ...stageOf(base, "read"), name: "affine", upstream: null, contract, variants, defaultVariant: "a" };
    const pipeline: Pipeline = { ...base, stages: [stage] };
    started = await startNumberGateway({}, { pipeline, code: code as PipelineCode });
    const affine = switchers.map(({ switcher }) => ({ address: `127.0.0.1:${switcher.ports.http}` }));
    started.setEndpoints({ affine });
  });

  after(async () => {
    await started.gateway.close(0);
    await Promise.all(switchers.map(switcher => switcher.close()));
    folder.delete();
  });

  it("has a request served by the variant that it asks for, or refused while no replica serves that", async () => {
    const send = () => started.post([3], { "x-variscale-variant": "affine=c" });
    assert.equal((await send()).status, 409);
    for (const switcher of switchers) assert.ok((await switcher.pin("c")).ok);
    const served = await send();
    assert.equal(served.headers.get("x-variscale-variants"), "affine=c");
    assert.deepEqual(await served.json(), [AFFINE["c"]?.(3)]);
  });

  it("gives every row the output of the variant that it names, while variants are switched", async () => {
    let isDone = false;
    const switching = (async () => {
      for (const variant of ["b", "c", "a", "c", "b", "a", "b"])
        for (const switcher of switchers) assert.ok((await switcher.pin(variant)).ok);
      isDone = true;
    })();
    const seen = new Set<string>();
    while (!isDone) {
      const response = await started.post([3]);
      assert.equal(response.status, 200, await response.clone().text());
      const variant = (response.headers.get("x-variscale-variants") ?? "").replace("affine=", "");
      seen.add(variant);
      assert.deepEqual(await response.json(), [AFFINE[variant]?.(3)]);
    }
    await switching;
    assert.ok(seen.size > 1, `only ${[...seen]}`);
  });

  it("keeps the order of many rows over both", async () => {
    for (const switcher of switchers) assert.ok((await switcher.pin("a", 4)).ok);
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    const response = await started.post(numbers);
    assert.deepEqual(await response.json(), numbers.map(AFFINE["a"]!));
    assert.equal(started.gateway.load().lost, 0);
  });
});
