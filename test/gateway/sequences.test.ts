import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import { MOST_SEQUENCES, readSequencePlace, SequenceMemory } from "../../gateway/sequence-memory.ts";
import { definePipeline, type PipelineCode } from "../../gateway/stage.ts";
import { type Numbers, numberCode, startNumberGateway } from "./number-pipeline.ts";
import { startEchoReplica } from "./replicas.ts";

/** Numbers must rise from request to request; `held` says what each was held against. */
function risingCode(held: (readonly number[])[] = []): PipelineCode {
  return definePipeline<Numbers, unknown, number>({
    ...numberCode,
    sequences: {
      remember: ({ values }) => {
        if (values.length > 1) throw new Error("too many");
        return values[0] ?? 0;
      },
      assertions: {
        rising: ({ values }, before) => {
          held.push(before);
          return (values[0] ?? 0) > (before[0] ?? 0);
        },
        sound: ({ values }): boolean => {
          if (values[0] === 13) throw new Error("unsound");
          return true;
        },
      },
    },
  }) as PipelineCode;
}

const valued = (...values: number[]) => ({ values });

describe("readSequencePlace()", () => {
  it("takes both headers together or none", () => {
    assert.equal(readSequencePlace({}), null);
    const [id, number] = ["camera-1/day_2", "41"];
    assert.deepEqual(readSequencePlace({ "x-sequence-id": id, "x-sequence-number": number }), { id, number: 41 });
    for (const headers of [
      { "x-sequence-id": id },
      { "x-sequence-number": number },
      { "x-sequence-id": "", "x-sequence-number": number },
      { "x-sequence-id": "a b", "x-sequence-number": number },
      { "x-sequence-id": "a".repeat(129), "x-sequence-number": number },
      ...["-1", "1.5", "", "1e3", "1".repeat(16)].map(wrong => ({ "x-sequence-id": id, "x-sequence-number": wrong })),
    ])
      assert.equal(typeof readSequencePlace(headers), "string", JSON.stringify(headers));
  });
});

describe("SequenceMemory", () => {
  it("gives assertions what was kept of the two requests before, the newest first, each sequence by itself", () => {
    const held: (readonly number[])[] = [];
    const memory = new SequenceMemory(risingCode(held));
    const broken = [5, 6, 6, 9].map((value, number) => {
      memory.broken({ id: "other", number }, valued(100 - number));
      held.pop();
      return memory.broken({ id: "a", number }, valued(value));
    });
    assert.deepEqual(broken, [null, [], ["rising"], []]);
    assert.deepEqual(held, [[5], [6, 5], [6, 6]]);
    assert.deepEqual(memory.broken({ id: "a", number: 4 }, valued(13)), ["sound"]);
  });

  it("holds nothing against a request whose predecessor it does not know", () => {
    const memory = new SequenceMemory(risingCode());
    const places = [3, 5, 6, 0, 1];
    assert.deepEqual(
      places.map(number => memory.broken({ id: "a", number }, valued(1))),
      [null, null, ["rising"], null, ["rising"]],
    );
    assert.equal(new SequenceMemory(numberCode as PipelineCode).broken({ id: "a", number: 0 }, {}), null);
  });

  it("keeps the newer request where one was overtaken or is sent again, and begins anew further below", () => {
    const held: (readonly number[])[] = [];
    const memory = new SequenceMemory(risingCode(held));
    for (const [number, value] of [
      [20, 1],
      [21, 2],
      [21, 7],
      [18, 8],
      [22, 3],
      [18, 9],
      [19, 9],
    ] as const)
      memory.broken({ id: "a", number }, valued(value));
    assert.deepEqual(held, [[1], [2, 1], [9]]);
  });

  it("goes on after what could not be kept", () => {
    const memory = new SequenceMemory(risingCode());
    memory.broken({ id: "a", number: 0 }, valued(1));
    assert.deepEqual(memory.broken({ id: "a", number: 1 }, valued(2, 2)), []);
    assert.equal(memory.broken({ id: "a", number: 2 }, valued(3)), null);
    assert.deepEqual(memory.broken({ id: "a", number: 3 }, valued(3)), ["rising"]);
    const large = { ...risingCode(), sequences: { remember: () => "x".repeat(5000), assertions: { all: () => true } } };
    const memories = new SequenceMemory(large);
    assert.equal(memories.broken({ id: "a", number: 0 }, {}), null);
    assert.equal(memories.broken({ id: "a", number: 1 }, {}), null);
  });

  it("forgets the sequences that were quiet for longest", () => {
    const memory = new SequenceMemory(risingCode());
    for (let i = 0; i < MOST_SEQUENCES; i++) memory.broken({ id: `${i}`, number: 0 }, valued(1));
    assert.deepEqual(memory.broken({ id: "0", number: 1 }, valued(2)), []);
    memory.broken({ id: "new", number: 0 }, valued(1));
    assert.equal(memory.broken({ id: "1", number: 1 }, valued(2)), null);
    assert.deepEqual(memory.broken({ id: "0", number: 2 }, valued(3)), []);
  });
});

describe("sequences of a pipeline's code", () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    await Promise.all(closers.splice(0).map(close => close()));
  });

  async function open(code: PipelineCode) {
    const replica = await startEchoReplica();
    closers.push(() => replica.close());
    const { gateway, url, post } = await startNumberGateway({ count: [replica], read: [replica] }, { code });
    closers.push(() => gateway.close(0));
    const metrics = async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const of = (series: string) => Number(new RegExp(`^variscale_gateway_${series} (\\d+)$`, "m").exec(text)?.[1]);
      return [
        of("sequence_requests_total"),
        ...["rising", "filled"].map(name => of(`assertions_total\\{assertion="${name}"\\}`)),
        of('assertion_failures_total\\{assertion="rising"\\}'),
      ];
    };
    const send = (value: number, id: string, number: number) =>
      post({ numbers: [value] }, { "x-sequence-id": id, "x-sequence-number": `${number}` });
    return { post, send, metrics };
  }

  it("are counted from 0 on, and what breaks one is answered all the same", async () => {
    const assertions = { filled: () => true };
    const { post, send, metrics } = await open({ ...risingCode(), assertions });
    assert.deepEqual(await metrics(), [0, 0, 0, 0]);
    for (const [value, number] of [
      [7, 0],
      [8, 1],
      [3, 2],
    ] as const) {
      const response = await send(value, "a", number);
      assert.equal(response.status, 200);
      assert.deepEqual(((await response.json()) as Numbers).values, [value]);
    }
    assert.equal((await post({ numbers: [1] })).status, 200);
    // An assertion of single requests is held against every answer, one of sequences only where there is one before.
    assert.deepEqual(await metrics(), [2, 2, 4, 1]);
  });

  it("refuse half a place in a sequence; other pipelines do not look at it", async () => {
    const { post } = await open(risingCode());
    const response = await post({ numbers: [1] }, { "x-sequence-id": "a" });
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as { error: string }).error, /x-sequence-number/);
    const { post: other } = await open(numberCode as PipelineCode);
    assert.equal((await other({ numbers: [1] }, { "x-sequence-id": "a" })).status, 200);
  });
});
