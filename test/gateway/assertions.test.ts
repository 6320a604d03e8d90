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

  it("are counted from 0 on, and what breaks one is answered all the same", async () => {
    const replica = await startEchoReplica();
    closers.push(() => replica.close());
    const { gateway, url, post } = await startNumberGateway({ count: [replica], read: [replica] }, { code });
    closers.push(() => gateway.close(0));
    const failures = async (): Promise<Record<string, number>> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text.matchAll(/^variscale_gateway_assertion_failures_total\{assertion="(\w+)"\} (\d+)$/gm);
      return Object.fromEntries([...lines].map(([, name, count]) => [name, Number(count)]));
    };
    assert.deepEqual(await failures(), { hasNumbers: 0, small: 0, sound: 0 });
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
    assert.deepEqual(await failures(), { hasNumbers: 1, small: 1, sound: 3 });
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
