import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import { brokenAssertions, signalsOf } from "../../gateway/signals.ts";
import type { PipelineCode } from "../../gateway/stage.ts";
import { type Numbers, numberCode, startNumberGateway } from "./number-pipeline.ts";
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

  async function open() {
    const replica = await startEchoReplica();
    closers.push(() => replica.close());
    const { gateway, url, post } = await startNumberGateway({ count: [replica], read: [replica] }, { code });
    closers.push(() => gateway.close(0));
    /** Values by assertion and variants. */
    const read = async (metric: string): Promise<Record<string, number>> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text.matchAll(
        new RegExp(`^variscale_gateway_${metric}_total\\{assertion="(\\w+)",variants="([^"]*)"\\} (\\d+)$`, "gm"),
      );
      return Object.fromEntries([...lines].map(([, name, variants, count]) => [`${name} ${variants}`, Number(count)]));
    };
    return { replica, post, read };
  }

  it("are counted by the variants of most rows, from 0 on, and what breaks one is answered all the same", async () => {
    const { replica, post, read } = await open();
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
    const light = { "hasNumbers light,light": 0, "small light,light": 1, "sound light,light": 2 };
    const empty = { "hasNumbers light,-": 1, "small light,-": 0, "sound light,-": 1 };
    assert.deepEqual(await read("assertion_failures"), { ...light, ...empty });
    replica.variant = "heavy";
    replica.parameters = { rungs: "heavy=1,light=2" };
    for (const numbers of [
      [7, 8, 9],
      [7, 8, 200],
    ])
      await post({ numbers });
    replica.parameters = {};
    await post({ numbers: [300] });
    const mixed = { "hasNumbers heavy,light": 0, "small heavy,light": 1, "sound heavy,light": 2 };
    const heavy = { "hasNumbers heavy,heavy": 0, "small heavy,heavy": 1, "sound heavy,heavy": 1 };
    assert.deepEqual(await read("assertion_failures"), { ...light, ...empty, ...mixed, ...heavy });
    const held = await read("assertions");
    const counts = ["light,light", "light,-", "heavy,light", "heavy,heavy"].map(names => held[`small ${names}`]);
    assert.deepEqual(counts, [2, 1, 2, 1]);
  });

  it("are counted under `other` where replicas name more variants than there is room for", async () => {
    const { replica, post, read } = await open();
    for (const letter of ["x", "y", "z"]) {
      replica.variant = letter.repeat(3000);
      await post({ numbers: [7] });
    }
    const held = await read("assertions");
    const first = "x".repeat(3000);
    assert.deepEqual([held["small other"], held[`small ${first},${first}`], Object.keys(held).length], [2, 1, 6]);
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
