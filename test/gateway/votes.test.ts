import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import type { PipelineCode, StageCode, Vote } from "../../gateway/stage.ts";
import { numberCode, numberPipeline, startNumberGateway, type TestGateway } from "./number-pipeline.ts";
import {
  type Replica,
  startEchoReplica,
  startFailingReplica,
  startFullReplica,
  startResettingReplica,
  startSilentReplica,
} from "./replicas.ts";

const ACCURACIES: Readonly<Record<string, number>> = { light: 0.8, middle: 0.9, heavy: 0.95 };

/** Three variants in `read`. */
function votingPipeline(latencyMs = 5000): Pipeline {
  const base = numberPipeline(latencyMs);
  const stages = base.stages.map(stage => ({
    ...stage,
    variants: Object.entries(ACCURACIES).map(([name, accuracy]) => ({ ...stage.variants[0]!, name, accuracy })),
  }));
  return { ...base, stages };
}

describe("a gateway whose stage votes", () => {
  const closers: (() => Promise<void>)[] = [];
  let seen: (readonly Vote[])[] = [];
  const use = async (replica: Promise<Replica>): Promise<Replica> => {
    const started = await replica;
    closers.push(() => started.close());
    return started;
  };
  /** Votes for a row are 10,000 each, and its number. */
  const vote = (votes: readonly Vote[]) => {
    seen.push(votes);
    const y = votes[0]!.output["y"]!;
    return { y: { ...y, data: new Float32Array([10_000 * votes.length + Number(y.data[0])]) } };
  };
  const codeWith = (change: Partial<StageCode<unknown>>): PipelineCode => {
    const code = numberCode as PipelineCode;
    return { ...code, stages: { ...code.stages, read: { ...code.stages["read"]!, ...change } } };
  };
  const voted = async (
    voters: Readonly<Record<string, readonly Replica[]>>,
    { code = codeWith({ vote }), latencyMs = 5000, others = [] as readonly Replica[] } = {},
  ): Promise<TestGateway> => {
    const started = await startNumberGateway(
      {
        count: [await use(startEchoReplica())],
        read: [
          ...others.map(({ address }) => ({ address })),
          ...Object.entries(voters).flatMap(([voter, replicas]) => replicas.map(({ address }) => ({ address, voter }))),
        ],
      },
      { pipeline: votingPipeline(latencyMs), code },
    );
    closers.push(() => started.gateway.close(0));
    return started;
  };
  const missing = async ({ url }: TestGateway): Promise<readonly string[]> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return text.split("\n").flatMap(line => {
      const [, variant, cause, count] =
        /^variscale_gateway_missing_votes_total\{.*variant="(.*?)".*cause="(.*?)".*\} (\d+)$/.exec(line) ?? [];
      return variant ? [`${variant} ${cause} ${count}`] : [];
    });
  };
  const values = async (response: Response): Promise<unknown> =>
    ((await response.json()) as { values: unknown }).values;

  afterEach(async () => {
    seen = [];
    await Promise.all(closers.splice(0).map(close => close()));
  });

  it("sends every row to one replica of each voter and joins what they say, row by row", async () => {
    const light = [await use(startEchoReplica("light")), await use(startEchoReplica("light"))];
    const [middle, heavy] = [await use(startEchoReplica("middle")), await use(startEchoReplica("heavy"))];
    const gateway = await voted({ light, middle: [middle], heavy: [heavy] });
    const response = await gateway.post({ numbers: [7, 8, 9] });
    assert.equal(response.headers.get("x-variscale-variants"), "count=light,read=heavy&light&middle");
    assert.deepEqual(await values(response), [30_007, 30_008, 30_009]);
    const rowsOf = (replicas: readonly Replica[]) => replicas.flatMap(({ calls }) => calls.flatMap(({ rows }) => rows));
    for (const replicas of [light, [middle], [heavy]]) assert.equal(rowsOf(replicas).length, 3);
    const weights = Object.fromEntries(seen[0]!.map(({ variant, weight }) => [variant, weight]));
    for (const [variant, a] of Object.entries(ACCURACIES))
      assert.ok(Math.abs((weights[variant] ?? 0) - Math.log(a / (1 - a))) < 1e-9, variant);
    assert.deepEqual(await missing(gateway), []);
  });

  it("counts the votes that there are where a voter is gone, full, resets or breaks the protocol", async () => {
    const gone = await use(startEchoReplica("heavy"));
    const good = { light: [await use(startEchoReplica("light"))], middle: [await use(startEchoReplica("middle"))] };
    await gone.close();
    for (const [heavy, cause] of [
      [gone, "no_endpoint"],
      [await use(startFullReplica()), "replicas_full"],
      [await use(startResettingReplica()), "lost"],
      [await use(startFailingReplica(500)), "failed"],
    ] as const) {
      const gateway = await voted({ ...good, heavy: [heavy] });
      const response = await gateway.post({ numbers: [7] });
      assert.equal(response.headers.get("x-variscale-variants"), "count=light,read=light&middle", cause);
      assert.deepEqual(await values(response), [20_007]);
      const told = await missing(gateway);
      // What was reset may have no connection on the second try.
      assert.match(told.join(), cause === "lost" ? /^heavy (lost|no_endpoint) 1$/ : new RegExp(`^heavy ${cause} 1$`));
    }
  });

  it("waits for a late vote as long as the stage may take, and answers by the deadline", async () => {
    const gateway = await voted(
      { light: [await use(startEchoReplica("light"))], heavy: [await use(startSilentReplica())] },
      { latencyMs: 5000 },
    );
    const startedMs = performance.now();
    const response = await gateway.post({ numbers: [7] });
    const tookMs = performance.now() - startedMs;
    assert.equal(response.status, 200);
    assert.deepEqual(await values(response), [7], "an answer alone is taken as it is");
    assert.ok(tookMs > 3000 && tookMs < 5000, `${tookMs} ms`);
    assert.deepEqual(await missing(gateway), ["heavy late 1"]);
    assert.equal(seen.length, 0);
  });

  it("sends rows to any replica of the stage where all voters fail", async () => {
    const other = await use(startEchoReplica("middle"));
    const gateway = await voted(
      { light: [await use(startResettingReplica())], heavy: [await use(startFullReplica())] },
      { others: [other] },
    );
    for (let i = 0; i < 5; i++) {
      const response = await gateway.post({ numbers: [7] });
      assert.equal(response.status, 200, await response.clone().text());
      assert.deepEqual(await values(response), [7]);
    }
    assert.equal(gateway.gateway.load().lost, 0);
  });

  it("gives a variant one vote, of however many voters' replicas serve it", async () => {
    const gateway = await voted({
      light: [await use(startEchoReplica("light"))],
      middle: [await use(startEchoReplica("light"))],
      heavy: [await use(startEchoReplica("heavy"))],
    });
    const response = await gateway.post({ numbers: [7] });
    assert.deepEqual(await values(response), [20_007]);
    assert.deepEqual(await missing(gateway), ["middle same_variant 1"]);
  });

  it("fails a request whose votes are joined into what breaks the contract", async () => {
    const voters = { light: [await use(startEchoReplica("light"))], heavy: [await use(startEchoReplica("heavy"))] };
    const wrong = { y: { datatype: "FP32" as const, shape: [2], data: new Float32Array(2) } };
    const gateway = await voted(voters, { code: codeWith({ vote: () => wrong }) });
    const response = await gateway.post({ numbers: [7] });
    assert.equal(response.status, 500);
    assert.match(await response.text(), /`vote` of stage `read` made a wrong output: tensor `y` has shape \[2\]/);
  });

  it("spreads rows as ever where no endpoint votes, and where the code joins no votes", async () => {
    const replicas = [await use(startEchoReplica("light")), await use(startEchoReplica("heavy"))];
    const plain = await voted({}, { others: replicas });
    assert.deepEqual(await values(await plain.post({ numbers: [7] })), [7]);
    const [light, heavy] = replicas as [Replica, Replica];
    const gateway = await voted({ light: [light], heavy: [heavy] }, { code: numberCode as PipelineCode });
    assert.deepEqual(await values(await gateway.post({ numbers: [7] })), [7]);
    assert.equal(light.calls.length + heavy.calls.length, 2);
  });
});
