import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import type { GatewayOptions } from "../../gateway/gateway.ts";
import { brokenAssertions, signalsOf } from "../../gateway/signals.ts";
import type { PipelineCode } from "../../gateway/stage.ts";
import { type Numbers, numberCode, numberPipeline, startNumberGateway } from "./number-pipeline.ts";
import { startEchoReplica } from "./replicas.ts";

const code = {
  ...numberCode,
  assertions: {
    hasNumbers: ({ numbers }: Numbers) => numbers.length > 0,
    small: ({ values }: Numbers) => values.every(value => value < 100),
    sound: (): boolean => {
      throw new Error("unsound");
    },
  },
} as PipelineCode;

describe("brokenAssertions()", () => {
  it("names those that do not hold, and those that throw", () => {
    assert.deepEqual(brokenAssertions(code, { numbers: [1], values: [1] }), ["sound"]);
    assert.deepEqual(brokenAssertions(code, { numbers: [], values: [100] }), ["hasNumbers", "small", "sound"]);
    assert.deepEqual(brokenAssertions(numberCode as PipelineCode, {}), []);
  });
});

describe("assertions of a pipeline's code", () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    await Promise.all(closers.splice(0).map(close => close()));
  });

  async function open(options: Partial<GatewayOptions> = {}) {
    const replica = await startEchoReplica();
    closers.push(() => replica.close());
    const table = { count: [replica], read: [replica], constructor: [replica] };
    const { gateway, url, post } = await startNumberGateway(table, { code, ...options });
    closers.push(() => gateway.close(0));
    /** Values by the values of labels. */
    const read = async (metric: string): Promise<Record<string, number>> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text.matchAll(
        new RegExp(`^variscale_gateway_${metric}_total\\{assertion="(\\w+)"(?:,variants="([^"]*)")?\\} (\\d+)$`, "gm"),
      );
      return Object.fromEntries(
        [...lines].map(([, name, variants, count]) => [variants ? `${name} ${variants}` : name, Number(count)]),
      );
    };
    return { replica, post, read };
  }

  it("are counted from 0 on, what breaks one by the variants of most rows as well, and it is answered all the same", async () => {
    const { replica, post, read } = await open();
    const none = { hasNumbers: 0, small: 0, sound: 0 };
    assert.deepEqual([await read("assertions"), await read("assertion_failures")], [none, none]);
    for (const [numbers, values] of [
      [[7], [7]],
      [
        [7, 200],
        [7, 200],
      ],
      [[], []],
    ]) {
      const response = await post({ numbers });
      assert.equal(response.status, 200);
      assert.deepEqual(((await response.json()) as Numbers).values, values);
    }
    assert.deepEqual(await read("assertion_failures"), { hasNumbers: 1, small: 1, sound: 3 });
    const light = { "small light,light": 1, "sound light,light": 2, "hasNumbers light,-": 1, "sound light,-": 1 };
    assert.deepEqual(await read("assertion_failures_by_variants"), light);
    replica.variant = "heavy";
    replica.parameters = { rungs: "heavy=1,light=2" };
    for (const numbers of [
      [7, 8, 9],
      [7, 8, 200],
    ])
      await post({ numbers });
    replica.parameters = {};
    await post({ numbers: [300] });
    const mixed = { "small heavy,light": 1, "sound heavy,light": 2 };
    const heavy = { "small heavy,heavy": 1, "sound heavy,heavy": 1 };
    assert.deepEqual(await read("assertion_failures_by_variants"), { ...light, ...mixed, ...heavy });
    assert.deepEqual(await read("assertion_failures"), { hasNumbers: 1, small: 3, sound: 6 });
    assert.deepEqual(await read("assertions"), { hasNumbers: 6, small: 6, sound: 6 });
  });

  it("are counted where a stage without rows is called as what every object has", async () => {
    const plain = numberPipeline();
    const stages = plain.stages.map(stage => (stage.name === "count" ? { ...stage, name: "constructor" } : stage));
    const { post, read } = await open({
      pipeline: { ...plain, stages },
      code: { ...code, stages: { constructor: { rows: () => [], collect: () => {} }, read: code.stages["read"]! } },
    });
    assert.equal((await post({ numbers: [200] })).status, 200);
    assert.deepEqual(await read("assertion_failures_by_variants"), { "small -,light": 1, "sound -,light": 1 });
  });

  it("are counted under `other` where replicas name more variants than there is room for", async () => {
    const { replica, post, read } = await open();
    for (const letter of ["x", "y", "z"]) {
      replica.variant = letter.repeat(3000);
      await post({ numbers: [7] });
    }
    const first = "x".repeat(3000);
    assert.deepEqual(await read("assertion_failures_by_variants"), {
      [`sound ${first},${first}`]: 1,
      "sound other": 2,
    });
  });
});

const codeWithSignals = {
  ...numberCode,
  signals: ({ values }: Numbers) => ({ count: values.length, first: values[0] ?? Number.NaN }),
  assertions: { small: ({ values }: Numbers) => values.every(value => value < 100) },
} as PipelineCode;

describe("signalsOf()", () => {
  it("has the code's signals and its broken assertions", () => {
    assert.deepEqual(signalsOf(codeWithSignals, { numbers: [], values: [7, 200] }), {
      count: 2,
      first: 7,
      "broken.small": 1,
    });
    assert.deepEqual(signalsOf(codeWithSignals, { numbers: [], values: [] }), {
      count: 0,
      first: Number.NaN,
      "broken.small": 0,
    });
  });

  it("has none where the code has none, or throws", () => {
    assert.deepEqual(signalsOf(numberCode as PipelineCode, {}), {});
    assert.deepEqual(signalsOf(codeWithSignals, null), { "broken.small": 1 });
  });
});
