import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import type { PipelineCode } from "../../gateway/stage.ts";
import { numberCode, numberPipeline, startNumberGateway, type TestGateway, until } from "./number-pipeline.ts";
import {
  type Replica,
  startEchoReplica,
  startFailingReplica,
  startFullReplica,
  startSilentReplica,
  startSlowReplica,
} from "./replicas.ts";

describe("the calls of a gateway to replicas", () => {
  const closers: (() => Promise<void>)[] = [];
  const use = async (replica: Promise<Replica>): Promise<Replica> => {
    const started = await replica;
    closers.push(() => started.close());
    return started;
  };
  const gatewayOver = async (
    count: readonly Replica[],
    read: readonly Replica[],
    options: Parameters<typeof startNumberGateway>[1] = {},
  ): Promise<TestGateway> => {
    const started = await startNumberGateway({ count, read }, options);
    closers.push(() => started.gateway.close(0));
    return started;
  };
  const withCode = (change: Partial<PipelineCode>): PipelineCode => ({ ...(numberCode as PipelineCode), ...change });

  afterEach(async () => {
    await Promise.all(closers.splice(0).map(close => close()));
  });

  it("spreads the rows of one request over the replicas and joins them in order", async () => {
    const replicas = [
      await use(startSlowReplica(3)),
      await use(startEchoReplica("heavy")),
      await use(startSlowReplica(1)),
    ];
    const { post, setEndpoints } = await gatewayOver([], []);
    setEndpoints({ count: [await use(startEchoReplica())], read: replicas.map(({ address }) => ({ address })) });
    const numbers = Array.from({ length: 40 }, (_, i) => i * 50);
    const response = await post({ numbers });
    const values = numbers.map(number => (number % 256) + 1000 * Math.floor(number / 256));
    assert.deepEqual(await response.json(), { count: 40, values });
    for (const replica of replicas) assert.ok(replica.calls.length > 0);
    assert.match(response.headers.get("x-variscale-variants") ?? "", /read=light:0\.6[0-9]*\+heavy:0\.3[0-9]*$/);
  });

  it("splits the rows of one request so that calls end together, by the times for a row in the answers", async () => {
    const replicas = [await use(startEchoReplica()), await use(startEchoReplica())];
    const { post } = await gatewayOver([await use(startEchoReplica())], replicas);
    for (const [i, rowMs] of [2, 6].entries()) replicas[i]!.parameters = { row_ms: rowMs };
    const numbers = new Array(12).fill(1);
    await post({ numbers });
    assert.deepEqual(
      replicas.map(({ calls }) => calls[0]?.rows.length),
      [6, 6],
      "nothing is known",
    );
    await post({ numbers });
    assert.deepEqual(
      replicas.map(({ calls }) => calls[1]?.rows.length),
      [9, 3],
    );
  });

  it("says the shares of the variants that a replica served the rows by", async () => {
    const count = await use(startEchoReplica("heavy"));
    const read = await use(startEchoReplica("heavy"));
    const { post } = await gatewayOver([count], [read]);
    read.parameters = { rungs: "heavy=3,light=1" };
    const variants = async (numbers: readonly number[]) =>
      (await post({ numbers })).headers.get("x-variscale-variants");
    assert.equal(await variants([1, 2, 3, 4]), "count=heavy,read=heavy:0.75+light:0.25");
    assert.equal(await variants([1, 2, 3]), "count=heavy,read=heavy", "no rungs of three rows");
    read.parameters = { rungs: "heavy=3,other=1" };
    assert.equal(await variants([1, 2, 3, 4]), "count=heavy,read=heavy");
  });

  it("counts rows by the shares of the variants that served the stage before", async () => {
    const [count, read] = [await use(startEchoReplica()), await use(startEchoReplica())];
    const stages = { ...numberCode.stages, count: { ...numberCode.stages["read"]!, collect: () => {} } };
    const { post, url } = await gatewayOver([count], [read], { code: withCode({ stages } as Partial<PipelineCode>) });
    count.parameters = { rungs: "heavy=3,light=1" };
    await post({ numbers: [1, 2, 3, 4] });
    await post({ numbers: [1] });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      'variscale_gateway_stage_upstream_rows_total{stage="read",upstream_variant="heavy"} 3',
      'variscale_gateway_stage_upstream_rows_total{stage="read",upstream_variant="light"} 2',
      'variscale_gateway_stage_rows_total{stage="read",upstream_variant="heavy"} 3',
      'variscale_gateway_stage_rows_total{stage="read",upstream_variant="light"} 2',
    ])
      assert.ok(metrics.includes(`${line}\n`), line);
  });

  it("asks for the variant that a request names, in its stage alone, and refuses one that the stage does not have", async () => {
    const [count, read] = [await use(startEchoReplica()), await use(startEchoReplica())];
    const { post, gateway } = await gatewayOver([count], [read]);
    const send = (wanted: string) => post({ numbers: [7] }, { "x-variscale-variant": wanted });
    assert.equal((await send("read=heavy")).status, 200);
    assert.equal((await send("read=light, count=heavy")).status, 200);
    assert.deepEqual(
      [count, read].map(({ calls }) => calls.map(({ path }) => path)),
      [
        ["/v2/models/count/infer", "/v2/models/count/versions/heavy/infer"],
        ["/v2/models/read/versions/heavy/infer", "/v2/models/read/versions/light/infer"],
      ],
    );
    for (const wrong of ["heavy", "read=", "read=other", "other=heavy", "read=heavy,", ",", "__proto__=heavy"]) {
      const response = await send(wrong);
      assert.equal(response.status, 400, wrong);
      assert.match(
        ((await response.json()) as { error: string }).error,
        /^x-variscale-variant.*(count, read|light, heavy)$/,
      );
    }
    assert.deepEqual([gateway.load().invalid, count.calls.length], [7, 2]);
  });

  it("asks others first where replicas refuse though they have nothing to do, as those that drain", async () => {
    const read = await Promise.all([startFullReplica(), startFullReplica(), startSlowReplica(5), startSlowReplica(5)]);
    for (const replica of read) await use(Promise.resolve(replica));
    const { post } = await gatewayOver([await use(startEchoReplica())], read);
    let refused = 0;
    for (let i = 0; i < 40; i += 1) {
      const statuses = await Promise.all([1, 2, 3].map(async one => (await post({ numbers: [one] })).status));
      refused += statuses.filter(status => status !== 200).length;
    }
    assert.ok(refused <= 12, `${refused} of 120 were refused`);
    assert.ok(read.slice(0, 2).every(({ calls }) => calls.length > 1 && calls.length <= 16));
  });

  it("takes a variant that no replica has in memory for a wrong wish, not for a lack of replicas", async () => {
    const full = await use(startFailingReplica(409));
    const { post, gateway } = await gatewayOver([await use(startEchoReplica())], [full]);
    const refused = await post({ numbers: [7] }, { "x-variscale-variant": "read=heavy" });
    assert.equal(refused.status, 409);
    assert.match(
      await refused.text(),
      /does not serve that variant now: a replica answered .*no/,
      "as the replica says",
    );
    assert.deepEqual([gateway.load().invalid, gateway.load().lastMinute.ended], [1, 0]);
  });

  it("passes on the sequence that a request belongs to", async () => {
    const replica = await use(startEchoReplica());
    const { post } = await gatewayOver([replica], [replica]);
    for (const id of ["camera-1", "x".repeat(200), "two words"]) await post({ numbers: [] }, { "x-sequence-id": id });
    assert.deepEqual(
      replica.calls.map(({ sequenceId }) => sequenceId),
      ["camera-1", undefined, undefined],
    );
  });

  it("says what is left of the SLO since the request arrived, whatever its deadline", async () => {
    const replica = await use(startSlowReplica(50));
    const { post } = await gatewayOver([replica], [replica], { pipeline: numberPipeline(3000) });
    const [long, short] = ["60000", "1000"];
    assert.equal((await post({ numbers: [1] }, { "x-request-timeout-ms": long })).status, 200);
    const [count, read] = replica.calls;
    assert.ok(count!.timeoutMs > 50_000 && count!.sloTimeoutMs > 2000 && count!.sloTimeoutMs <= 3000);
    assert.ok(read!.sloTimeoutMs <= count!.sloTimeoutMs - 50, "the stage before took 50 ms of it");
    assert.equal((await post({ numbers: [1] }, { "x-request-timeout-ms": short })).status, 200);
    for (const call of replica.calls.slice(2)) assert.equal(call.sloTimeoutMs, call.timeoutMs);
  });

  it("asks a replica however much it has to do: what can't be in time it refuses itself", async () => {
    const silent = await use(startSilentReplica());
    const { post } = await gatewayOver([await use(startEchoReplica())], [silent]);
    const running = post({ numbers: new Array(100).fill(1) });
    await until(() => silent.calls.length === 1);
    assert.equal((await post({ numbers: [1] }, { "x-request-timeout-ms": "300" })).status, 504);
    assert.equal(silent.calls.length, 2);
    await silent.close();
    await running;
  });
});
