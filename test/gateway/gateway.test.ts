import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, it } from "mocha";
import type { PipelineCode } from "../../gateway/stage.ts";
import { numberCode, numberPipeline, startNumberGateway, type TestGateway, until } from "./number-pipeline.ts";
import {
  encodeAnswer,
  type Replica,
  startEchoReplica,
  startEndingReplica,
  startFailingReplica,
  startForgettingReplica,
  startFullReplica,
  startLyingReplica,
  startMoodyReplica,
  startMortalReplica,
  startResettingReplica,
  startSilentReplica,
  startSlowReplica,
} from "./replicas.ts";

describe("startGateway()", () => {
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

  it("takes a request through the stages, says which variants served it and echoes its id", async () => {
    const [count, read] = [await use(startEchoReplica("heavy")), await use(startEchoReplica())];
    const { post, gateway } = await gatewayOver([count], [read]);
    const response = await post({ numbers: [7, 300] }, { "x-request-id": "abc-1" });
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { count: 2, values: [7, 1044] });
    assert.equal(response.headers.get("x-variscale-variants"), "count=heavy,read=light");
    assert.equal(response.headers.get("x-request-id"), "abc-1");
    assert.match(response.headers.get("x-variscale-latency-ms") ?? "", /^\d+\.\d$/);
    assert.equal(count.calls[0]?.path, "/v2/models/count/infer");
    assert.equal(count.calls[0]?.id, "abc-1");
    assert.equal(gateway.load().served, 1);
  });

  it("tells its load by the second, without what was read, and refuses a time that is none", async () => {
    const { gateway } = await gatewayOver([await use(startEchoReplica())], [await use(startEchoReplica())]);
    const load = (query = "") => fetch(`http://127.0.0.1:${gateway.port}/v1/pipelines/test/numbers/load${query}`);
    const secondsOf = async (response: Response) =>
      ((await response.json()) as { seconds: readonly { atMs: number }[] }).seconds;
    await sleep(2100);
    const { epoch } = gateway.load();
    const all = await secondsOf(await load());
    assert.ok(all.length >= 2, `${all.length} seconds`);
    const unread = await secondsOf(await load(`?epoch=${epoch}&after=${all[0]?.atMs}`));
    assert.deepEqual(unread.slice(0, all.length - 1), all.slice(1));
    assert.equal((await load(`?epoch=${epoch}&after=now`)).status, 400);
  });

  it("skips the model of a stage that has no rows", async () => {
    const read = await use(startEchoReplica());
    const { post } = await gatewayOver([await use(startEchoReplica())], [read]);
    const response = await post({ numbers: [] });
    assert.deepEqual(await response.json(), { count: 0, values: [] });
    assert.equal(response.headers.get("x-variscale-variants"), "count=light");
    assert.equal(read.calls.length, 0);
  });

  it("sends more to the faster replica", async () => {
    // They are so far apart that a busy machine makes the fast one no slow one.
    const [fast, slow] = [await use(startSlowReplica(1)), await use(startSlowReplica(250))];
    fast.parameters = { row_ms: 1 };
    slow.parameters = { row_ms: 250 };
    const { post } = await gatewayOver([await use(startEchoReplica())], [fast, slow]);
    // First, nothing is known of either.
    await Promise.all(Array.from({ length: 8 }, () => post({ numbers: [1] })));
    await Promise.all(Array.from({ length: 40 }, () => post({ numbers: [1] })));
    assert.ok(fast.calls.length > 2 * slow.calls.length, `${fast.calls.length} against ${slow.calls.length}`);
  });

  it("sends a call once more, to another replica, when the first one resets, fails, is full or lies", async () => {
    const bad = [
      startResettingReplica(),
      startFailingReplica(500),
      startFullReplica(),
      startFailingReplica(404),
      startLyingReplica(() => ({ body: Buffer.from("no JSON") })),
    ];
    for (const start of bad) {
      const [first, good] = [await use(start), await use(startEchoReplica())];
      // The first one of replicas that have nothing to do is chosen.
      const options = { random: () => 0 };
      const { post, gateway } = await gatewayOver([await use(startEchoReplica())], [first, good], options);
      assert.deepEqual(await (await post({ numbers: [5] })).json(), { count: 1, values: [5] });
      assert.equal(first.calls.length, 1);
      assert.equal(good.calls.length, 1);
      assert.equal(gateway.load().offered, 1);
    }
  });

  it("tells lost, dropped and failed apart when the second try is in vain too", async () => {
    const expected = [
      {
        start: startResettingReplica,
        status: 502,
        counted: (load: ReturnType<TestGateway["gateway"]["load"]>) => load.lost,
      },
      { start: startFullReplica, status: 503, counted: load => load.dropped["replicas_full"] },
      { start: () => startFailingReplica(504), status: 504, counted: load => load.dropped["deadline"] },
      { start: () => startFailingReplica(500), status: 502, counted: load => load.failed },
      { start: () => startFailingReplica(413), status: 413, counted: load => load.invalid },
    ] as const satisfies readonly {
      start: () => Promise<Replica>;
      status: number;
      counted: (load: ReturnType<TestGateway["gateway"]["load"]>) => number | undefined;
    }[];
    for (const { start, status, counted } of expected) {
      const { post, gateway } = await gatewayOver(
        [await use(startEchoReplica())],
        [await use(start()), await use(start())],
      );
      const response = await post({ numbers: [5] });
      assert.equal(response.status, status);
      assert.equal(response.headers.get("retry-after"), status === 503 ? "1" : null);
      assert.equal(counted(gateway.load()), 1);
      assert.equal(gateway.load().served, 0);
    }
  });

  it("fails a request whose replicas break the contract in their answers", async () => {
    const lies: Record<string, unknown>[] = [
      { shape: [2, 1] },
      { shape: [1, -1] },
      { shape: "1,1" },
      { datatype: "FP64" },
      { name: "z" },
      { parameters: { binary_data_size: 1e9 } },
      { parameters: { binary_data_size: -4 } },
      { parameters: {} },
    ];
    for (const lie of lies) {
      const read = await use(startLyingReplica(call => encodeAnswer(call, "light", lie)));
      const { post } = await gatewayOver([await use(startEchoReplica())], [read]);
      assert.equal((await post({ numbers: [1] })).status, 502, JSON.stringify(lie));
    }
  });

  it("gives replicas the time that is left, and answers 504 when it is over", async () => {
    const silent = await use(startSilentReplica());
    const { post, gateway } = await gatewayOver([await use(startEchoReplica())], [silent]);
    const response = await post({ numbers: [1] }, { "x-request-timeout-ms": "1000" });
    assert.equal(response.status, 504);
    assert.equal(((await response.json()) as { reason: string }).reason, "deadline");
    const [call] = silent.calls;
    assert.ok(call && call.timeoutMs <= 1000 && call.timeoutMs > 0, `timeout ${call?.timeoutMs}`);
    assert.equal(gateway.load().dropped["deadline"], 1);
  });

  it("holds requests while a stage has no replica, and drops them at their deadline", async () => {
    const { post, setEndpoints, gateway } = await gatewayOver([await use(startEchoReplica())], []);
    assert.equal(gateway.isReady(), false);
    const held = post({ numbers: [9] });
    const late = await post({ numbers: [9] }, { "x-request-timeout-ms": "1000" });
    assert.equal(late.status, 503);
    assert.equal(((await late.json()) as { reason: string }).reason, "no_endpoint");
    setEndpoints({ count: [await use(startEchoReplica())], read: [await use(startEchoReplica())] });
    assert.deepEqual(await (await held).json(), { count: 1, values: [9] });
    assert.equal(gateway.isReady(), true);
  });

  it("leaves a replica out after a connection error and calls it again later", async () => {
    let mood: "reset" | "answer" = "reset";
    const read = await use(startMoodyReplica(() => mood));
    const { post, gateway } = await gatewayOver([await use(startEchoReplica())], [read]);
    const held = post({ numbers: [4] });
    await until(() => read.calls.length > 0 && !gateway.isReady());
    mood = "answer";
    assert.deepEqual(await (await held).json(), { count: 1, values: [4] });
    assert.equal(read.calls.length, 2);
    assert.equal(gateway.isReady(), true);
  });

  it("waits for a replica that takes no connection, and drops what it waited for in vain", async () => {
    const read = await use(startEchoReplica());
    const { post, gateway, setEndpoints } = await gatewayOver([await use(startEchoReplica())], [read]);
    await read.close();
    const dropped = await post({ numbers: [4] }, { "x-request-timeout-ms": "400" });
    assert.equal(dropped.status, 503);
    assert.equal(gateway.load().dropped["no_endpoint"], 1);
    const held = post({ numbers: [4] });
    const metrics = () => fetch(`http://127.0.0.1:${gateway.port}/metrics`).then(answer => answer.text());
    // More tries than the two that a replica may spoil.
    await until(async () => /retries_total\{stage="read",cause="unreachable"\} ([3-9]|\d\d)/.test(await metrics()));
    setEndpoints({ count: [await use(startEchoReplica())], read: [await use(startEchoReplica())] });
    assert.deepEqual(await (await held).json(), { count: 1, values: [4] });
    assert.equal(gateway.load().lost, 0);
  });

  it("takes a kept connection that closes under a call for what it is, not for an error of the replica", async () => {
    const read = await use(startForgettingReplica());
    const { post, url } = await gatewayOver([await use(startEchoReplica())], [read]);
    for (let i = 0; i < 4; i++) assert.equal((await post({ numbers: [i] })).status, 200);
    assert.ok(read.cuts > 0);
    assert.doesNotMatch(await (await fetch(`${url}/metrics`)).text(), /retries_total\{/);
  });

  it("lets a request that replicas die of have two of them, not all", async () => {
    const DEADLY = 99;
    const read = await Promise.all(Array.from({ length: 5 }, () => use(startMortalReplica(DEADLY))));
    const { post, gateway } = await gatewayOver([await use(startEchoReplica())], read);
    // Every replica has answered, so that the gateway has kept connections to all of them.
    await until(async () => {
      await Promise.all(Array.from({ length: 10 }, () => post({ numbers: [1, 2, 3] })));
      return read.every(({ calls }) => calls.length > 0);
    });
    const response = await post({ numbers: [DEADLY] }, { "x-request-timeout-ms": "1000" });
    assert.equal(response.status, 502);
    assert.equal(read.filter(({ isGone }) => isGone).length, 2);
    assert.equal(gateway.load().lost, 1);
    for (let i = 0; i < 20; i++) assert.equal((await post({ numbers: [i] })).status, 200);
  });

  it("loses no request to replicas that end and close their idle connections just then", async () => {
    const read = await Promise.all([use(startEndingReplica()), use(startEndingReplica())]);
    const { post, gateway } = await gatewayOver([await use(startEchoReplica())], read);
    // Rows of one request go to both, and each has one kept connection then.
    assert.equal((await post({ numbers: [1, 2, 3, 4] })).status, 200);
    assert.ok(read.every(({ calls }) => calls.length === 1));
    assert.equal((await post({ numbers: [5] })).status, 200);
    assert.equal(read.filter(({ isGone }) => isGone).length, 1);
    assert.equal(gateway.load().lost, 0);
  });

  it("refuses with 503 what is over its concurrency and its queue", async () => {
    const silent = await use(startSilentReplica());
    const { post, gateway } = await gatewayOver([silent], [], { concurrency: 2, queue: 1 });
    const timeout = { "x-request-timeout-ms": "4000" };
    const waiting = [post({ numbers: [] }, timeout), post({ numbers: [] }, timeout)];
    await until(() => silent.calls.length === 2);
    waiting.push(post({ numbers: [] }, { "x-request-timeout-ms": "2000" }));
    await until(() => gateway.load().inFlight === 3);
    const refused = await post({ numbers: [] });
    assert.equal(refused.status, 503);
    assert.equal(((await refused.json()) as { reason: string }).reason, "queue_full");
    const statuses = (await Promise.all(waiting)).map(response => response.status);
    assert.deepEqual(statuses.sort(), [503, 504, 504]);
    assert.equal(gateway.load().dropped["queue_full"], 2);
  });

  it("answers 500 for code that throws and 504 for code that hangs, for that request only", async () => {
    const replicas = [await use(startEchoReplica())];
    const code = withCode({
      respond: context => {
        const { values } = context as { values: number[] };
        if (values[0] === 1) throw new TypeError("boom");
        if (values[0] === 2) return { big: 1n };
        if (values[0] === 3) return new Promise(() => {});
        return values;
      },
    });
    const { post, gateway } = await gatewayOver(replicas, replicas, { code });
    const timeout = { "x-request-timeout-ms": "2000" };
    const responses = await Promise.all([1, 2, 3, 4].map(number => post({ numbers: [number] }, timeout)));
    assert.deepEqual(
      responses.map(response => response.status),
      [500, 500, 504, 200],
    );
    assert.match(((await responses[0]!.json()) as { error: string }).error, /the pipeline's code failed: boom/);
    assert.equal(gateway.load().failed, 2);
  });

  it("answers 500 to rows that break the stage's contract", async () => {
    const replicas = [await use(startEchoReplica())];
    const tensors: unknown[] = [
      undefined,
      { datatype: "UINT8", shape: [3], data: new Uint8Array(3) },
      { datatype: "UINT8", shape: [2], data: new Uint8Array(3) },
      { datatype: "UINT8", shape: [2], data: new Float32Array(2) },
      { datatype: "FP32", shape: [2], data: new Float32Array(2) },
    ];
    for (const tensor of tensors) {
      const count = { rows: () => [{ x: tensor }], collect: () => {} };
      const code = withCode({ stages: { ...numberCode.stages, count } } as unknown as Partial<PipelineCode>);
      const { post } = await gatewayOver(replicas, replicas, { code });
      const response = await post({ numbers: [1] });
      assert.equal(response.status, 500);
      assert.match(
        ((await response.json()) as { error: string }).error,
        /stage `count` made a wrong row 0: tensor `x`/,
      );
    }
  });

  it("counts a client that goes away as cancelled and cuts its calls", async () => {
    const silent = await use(startSilentReplica());
    const { post, gateway } = await gatewayOver([silent], [], { pipeline: numberPipeline(60_000) });
    const aborter = new AbortController();
    const gone = post({ numbers: [1] }, {}, aborter.signal);
    await until(() => silent.calls.length === 1);
    aborter.abort();
    await assert.rejects(gone);
    await until(() => gateway.load().cancelled === 1);
    await until(() => silent.cuts === 1);
    assert.equal(gateway.load().inFlight, 0);
    assert.equal(gateway.isReady(), false);
  });

  it("loses nothing while replicas come and go under load", async () => {
    const replicas = await Promise.all(Array.from({ length: 4 }, () => use(startSlowReplica(1))));
    const { post, setEndpoints, gateway } = await gatewayOver(replicas, replicas);
    let stopped = false;
    const statuses: number[] = [];
    const client = async (): Promise<void> => {
      while (!stopped) statuses.push((await post({ numbers: [1, 2, 3] })).status);
    };
    const clients = Array.from({ length: 8 }, client);
    for (let round = 0; round < 40; round++) {
      const some = replicas.filter((_, i) => (round + i) % 4 !== 0 && (round * i) % 3 !== 1);
      setEndpoints({ count: some, read: [...some].reverse() });
      const before = gateway.load().served;
      await until(() => gateway.load().served > before);
    }
    stopped = true;
    await Promise.all(clients);
    assert.deepEqual(new Set(statuses), new Set([200]));
    assert.equal(gateway.load().served, statuses.length);
  });

  it("lets running requests end when it closes, and is not ready meanwhile", async () => {
    const slow = await use(startSlowReplica(100));
    const { post, url, gateway } = await gatewayOver([slow], [slow]);
    const running = post({ numbers: [1] });
    await until(() => slow.calls.length === 1);
    gateway.drain();
    assert.equal((await fetch(`${url}/readyz`)).status, 503);
    const closed = gateway.close(5000);
    assert.equal((await running).status, 200);
    await closed;
    await assert.rejects(fetch(`${url}/healthz`));
  });

  it("serves health, metrics and the load, and no other pipeline", async () => {
    const replicas = [await use(startEchoReplica())];
    const { post, url } = await gatewayOver(replicas, replicas);
    await post({ numbers: [1, 2, 3] });
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { ready: true, endpoints: { count: 1, read: 1 } });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      'variscale_gateway_offered_requests_total{namespace="test",pipeline="numbers"} 1',
      'variscale_gateway_requests_total{outcome="served",reason=""} 1',
      'variscale_gateway_stage_rows_total{stage="read",upstream_variant="light"} 3',
      'variscale_gateway_stage_upstream_rows_total{stage="read",upstream_variant="light"} 1',
      'variscale_gateway_endpoints{stage="read",state="open"} 1',
      `variscale_gateway_endpoint_outstanding_rows{stage="read",endpoint="${replicas[0]?.address}"} 0`,
    ])
      assert.ok(metrics.includes(`${line}\n`), line);
    const load = (await (await fetch(`${url}/v1/pipelines/test/numbers/load`)).json()) as Record<string, unknown>;
    assert.deepEqual(
      { offered: load["offered"], served: load["served"], inFlight: load["inFlight"] },
      { offered: 1, served: 1, inFlight: 0 },
    );
    const other = await fetch(`${url}/v1/pipelines/test/other`, { method: "POST", body: "{}" });
    assert.equal(other.status, 404);
    assert.match(((await other.json()) as { error: string }).error, /serves `test\/numbers`, not `test\/other`/);
  });

  it("counts what missed the SLO, and has every outcome at 0 before it happens", async () => {
    const slow = await use(startSlowReplica(60));
    const pipeline = numberPipeline(8000);
    const slo = { latencyMs: 100, quantile: 0.9 };
    const { post, url } = await gatewayOver([slow], [slow], { pipeline: { ...pipeline, slo } });
    const read = async () => (await fetch(`${url}/metrics`)).text();
    const before = await read();
    for (const line of [
      'variscale_gateway_requests_total{outcome="lost",reason=""} 0',
      'variscale_gateway_requests_total{outcome="dropped",reason="no_endpoint"} 0',
      "variscale_gateway_slo_latency_seconds 0.1",
      "variscale_gateway_slo_quantile_ratio 0.9",
      "variscale_gateway_late_requests_total 0",
    ])
      assert.ok(before.includes(`${line}\n`), line);
    assert.equal((await post({ numbers: [1] }, { "x-request-timeout-ms": "5000" })).status, 200);
    assert.ok((await read()).includes("variscale_gateway_late_requests_total 1\n"));
  });

  it("has the SLO as the default deadline", async () => {
    const silent = await use(startSilentReplica());
    const { post } = await gatewayOver([silent], [], { pipeline: numberPipeline(1000) });
    assert.equal((await post({ numbers: [1] })).status, 504);
    assert.ok((silent.calls[0]?.timeoutMs ?? 1e9) <= 1000);
  });
});
