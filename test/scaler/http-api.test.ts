import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { HttpRequest } from "../../runtime/http-server.ts";
import { refuseMutation } from "../../scaler/mutation-access.ts";
import { until } from "../support/until.ts";
import { turns } from "./support/manual-clock.ts";
import { RunningScaler } from "./support/running-scaler.ts";

const PIPELINE = "/api/v1/pipelines/shop/cards";

describe("HTTP API", () => {
  let running: RunningScaler;
  beforeEach(async () => {
    running = await RunningScaler.start();
  });
  afterEach(() => running.close());

  const get = async (path: string) => {
    const response = await fetch(running.url(path));
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    return { status: response.status, body: (await response.json()) as any };
  };
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(running.url(path), init);
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    return { status: response.status, body: (await response.json()) as any };
  };

  it("lists the pipelines, before and after there is a plan", async () => {
    const before = await get("/api/v1/pipelines");
    assert.equal(before.body.pipelines.length, 1);
    assert.equal(before.body.pipelines[0].decisionId, null);
    await running.planFor(50);
    const { pipelines } = (await get("/api/v1/pipelines")).body;
    assert.equal(pipelines[0].name, "cards");
    assert.equal(pipelines[0].loadRps, 50);
    assert.deepEqual(
      pipelines[0].stages.map((stage: { stage: string }) => stage.stage),
      ["detect", "read"],
    );
  });

  it("shows the board with the switchers", async () => {
    const switcher = running.switcher();
    running.gateway.rateRps = 50;
    await running.runUntil(
      board => board.stages[0]?.replicasReady === 1,
      () => switcher.report({ queuedRows: 3 }),
    );
    const { status, body } = await get(PIPELINE);
    assert.equal(status, 200);
    assert.equal(body.board.decisionId, running.board?.decisionId);
    assert.equal(body.switchers[0].pod, "detect-0");
    assert.equal(body.switchers[0].queuedRows, 3);
    assert.equal(body.switchers[0].assigned.top, switcher.newest?.top);
    assert.equal(body.processConditions.find((one: { type: string }) => one.type === "Ticking").status, true);
  });

  it("answers 404 for a pipeline that is not there, naming those that are", async () => {
    for (const path of ["", "/decisions", "/pin", "/mode"]) {
      const { status, body } = await get(`/api/v1/pipelines/shop/card${path}`);
      assert.equal(status, 404);
      assert.match(body.error, /unknown pipeline `card`; .*cards/);
    }
  });

  it("gives decisions, newest first, as many as asked for", async () => {
    await running.planFor(50);
    for (let i = 0; i < 3; i++) {
      running.gateway.rateRps *= 2;
      await running.clock.advance(11_000);
      await running.planFor(running.gateway.rateRps);
    }
    const { decisions } = (await get(`${PIPELINE}/decisions?limit=2`)).body;
    assert.equal(decisions.length, 2);
    assert.equal(decisions[0].decisionId, running.board?.decisionId);
    assert.ok(decisions[0].at >= decisions[1].at);
    const all = (await get(`${PIPELINE}/decisions`)).body.decisions;
    assert.ok(all.length > 2);
    const [second] = all.slice(1);
    const older = (await get(`${PIPELINE}/decisions?limit=500&before=${second.decisionId}`)).body.decisions;
    assert.deepEqual(older, all.slice(2));
    assert.deepEqual((await get(`${PIPELINE}/decisions?before=d-0-0`)).body.decisions, []);
    for (const limit of ["0", "-1", "x", "1e3", ""])
      assert.equal((await get(`${PIPELINE}/decisions?limit=${limit}`)).status, 400, limit);
  });

  it("gives 50 decisions at most, however many are asked for", async () => {
    await running.planFor(50);
    for (let i = 0; i < 60; i++) await running.clock.advance(11_000);
    const { decisions } = (await get(`${PIPELINE}/decisions?limit=500`)).body;
    assert.equal(decisions.length, 50);
  });

  it("pins until the time is over, and the plan keeps to it", async () => {
    await running.planFor(20);
    const pin = { stage: "read", variant: "light", batch: 2, replicas: 4, ttlMs: 60_000, reason: "test" };
    const put = await send("PUT", `${PIPELINE}/pin`, pin);
    assert.equal(put.status, 200, JSON.stringify(put.body));
    assert.equal(put.body.expiresAtMs, running.clock.nowMs() + 60_000);
    await running.runUntil(board => board.reasons.includes("pinned"));
    const planned = running.board?.plan?.stages.find(stage => stage.stage === "read");
    assert.deepEqual(
      planned?.parts.map(part => [part.variant, part.batch, part.replicas]),
      [["light", 2, 4]],
    );
    assert.equal((await get(`${PIPELINE}/pin`)).body.pins.length, 1);
    await running.runUntil(board => !board.reasons.includes("pinned"));
    assert.equal((await get(`${PIPELINE}/pin`)).body.pins.length, 0);
  });

  it("refuses a pin that can't be followed with the reason, and changes nothing", async () => {
    const pin = (more: object) => send("PUT", `${PIPELINE}/pin`, { stage: "detect", ttlMs: 60_000, ...more });
    for (const [more, message] of [
      [
        { batch: 64 },
        /batch: must be at most 8, the largest that was measured of any variant of stage detect \(is: 64\)/,
      ],
      [{ variant: "light", batch: 9 }, /batch: must be at most 8, the largest that was measured of light/],
    ] as const) {
      const { status, body } = await pin(more);
      assert.equal(status, 400);
      assert.match(body.error, message);
    }
    await running.planFor(20);
    const switcher = running.switcher();
    assert.equal((await pin({ variant: "middle" })).status, 200);
    await running.runUntil(() => switcher.newest?.top === "middle");
    switcher.nack("memory_short");
    await running.runUntil(board => board.conditions.some(({ type, status }) => type === "VariantsUsable" && !status));
    await send("DELETE", `${PIPELINE}/pin`);
    const { status, body } = await pin({ variant: "middle" });
    assert.equal(status, 412);
    assert.match(body.error, /^detect\/middle can't be served now: memory_short: no$/);
    assert.deepEqual((await get(`${PIPELINE}/pin`)).body.pins, []);
  });

  it("has one pin a stage, and removes one or all", async () => {
    for (const stage of ["detect", "read", "read"])
      await send("PUT", `${PIPELINE}/pin`, { stage, replicas: 2, ttlMs: 60_000 });
    assert.equal((await get(`${PIPELINE}/pin`)).body.pins.length, 2);
    const removedBy = async (path: string) => (await send("DELETE", `${PIPELINE}/pin${path}`)).body.removed;
    assert.deepEqual([await removedBy("?stage=read"), await removedBy("?stage=read"), await removedBy("")], [1, 0, 1]);
  });

  it("refuses to unpin a stage that there is not, and what it does not know", async () => {
    for (const [query, message] of [
      ["stage=crop", /stage: is not a stage .*detect, read/],
      ["stages=read", /stages: unknown field.*Did you mean `stage`/],
      ["reason=%0a", /reason: must be one line/],
    ] as const) {
      const { status, body } = await send("DELETE", `${PIPELINE}/pin?${query}`);
      assert.equal(status, 400, query);
      assert.match(body.error, message);
    }
  });

  it("says what a change would do, and does nothing, when asked to", async () => {
    const first = { stage: "read", replicas: 2, ttlMs: 60_000 };
    await send("PUT", `${PIPELINE}/pin`, first);
    const pin = await send("PUT", `${PIPELINE}/pin?dryRun=true`, { ...first, replicas: 3 });
    assert.deepEqual([pin.body.replicas, pin.body.replaced.replicas, pin.body.dryRun], [3, 2, true]);
    const unpin = await send("DELETE", `${PIPELINE}/pin?dryRun=true`);
    assert.deepEqual([unpin.body.removed, unpin.body.pins[0].replicas], [1, 2]);
    const mode = await send("PUT", `${PIPELINE}/mode?dryRun=true`, { mode: "shadow" });
    assert.deepEqual([mode.body.mode, mode.body.before], ["shadow", "active"]);
    assert.equal((await send("PUT", `${PIPELINE}/mode?dryRun=yes`, { mode: "shadow" })).status, 400);
    assert.equal((await send("PUT", `${PIPELINE}/pin?dryRun=true`, { ...first, replicas: 99 })).status, 400);
    assert.equal((await get(`${PIPELINE}/pin`)).body.pins[0].replicas, 2);
    assert.equal((await get(`${PIPELINE}/mode`)).body.mode, "active");
  });

  const refusedPins: readonly (readonly [unknown, RegExp])[] = [
    [{ stage: "crop", replicas: 1, ttlMs: 5000 }, /stage: is not a stage .*detect, read/],
    [{ stage: "read", variant: "huge", ttlMs: 5000 }, /variant: is not a variant .*heavy, middle, light/],
    [{ stage: "read", variant: "unmeasured", ttlMs: 5000 }, /was not measured/],
    [{ stage: "read", replicas: 11, ttlMs: 5000 }, /replicas: must be within .*1 to 10/],
    [{ stage: "read", replicas: 1.5, ttlMs: 5000 }, /replicas/],
    [{ stage: "read", ttlMs: 5000 }, /at least one of variant, batch and replicas/],
    [{ stage: "read", replicas: 1 }, /ttlMs: required field is missing/],
    [{ stage: "read", replicas: 1, ttlMs: 10 }, /ttlMs.*at least 1000/],
    [{ stage: "read", replicas: 1, ttlMs: "5m" }, /ttlMs/],
    [{ stage: "read", replica: 1, ttlMs: 5000 }, /replica: unknown field.*Did you mean `replicas`/],
    [null, /is: null/],
  ];
  for (const [pin, message] of refusedPins) {
    it(`refuses the pin ${JSON.stringify(pin)}`, async () => {
      const { status, body } = await send("PUT", `${PIPELINE}/pin`, pin);
      assert.equal(status, 400);
      assert.match(body.error, message);
      assert.equal((await get(`${PIPELINE}/pin`)).body.pins.length, 0);
    });
  }

  it("changes the mode", async () => {
    await running.planFor(20);
    assert.deepEqual((await send("PUT", `${PIPELINE}/mode`, { mode: "shadow" })).body, {
      mode: "shadow",
      before: "active",
      fileMode: "active",
    });
    await running.runUntil(board => board.mode === "shadow");
    assert.ok(running.board?.reasons.includes("shadow"));
    assert.equal((await send("PUT", `${PIPELINE}/mode`, { mode: "off" })).status, 400);
  });

  it("says that it is alive while the loop runs, and ready until it stops", async () => {
    assert.equal((await get("/healthz")).status, 200);
    assert.equal((await get("/readyz")).status, 200);
    running.clock.set(running.clock.nowMs() + 30_001);
    assert.equal((await get("/healthz")).status, 503);
  });

  it("collects its metrics once for all who ask meanwhile", async () => {
    const socket = connect(running.scaler.ports.http, "127.0.0.1").setEncoding("latin1");
    let got = "";
    socket.on("data", text => {
      got += text;
    });
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5));
    const texts = () => got.split(/HTTP\/1\.1 200 .*?\r\n\r\n/s).slice(1);
    await until(() => texts().length === 5 && texts().every(text => text.length === texts()[0]?.length));
    socket.destroy();
    // The process's time on the CPU is another one in each collection.
    assert.match(got, /process_cpu_seconds_total [0-9.]+/);
    assert.equal(new Set(texts()).size, 1);
  });

  it("has metrics with base units, of every pipeline and stage", async () => {
    const switcher = running.switcher();
    running.gateway.rateRps = 50;
    await running.runUntil(
      board => board.stages[0]?.replicasReady === 1 && board.load?.rateRps === 50,
      () => switcher.report(),
    );
    const lying = running.switcher({ pod: "liar", variant: "no-such-variant" });
    await turns(20);
    const text = await (await fetch(running.url("/metrics"))).text();
    const of = 'namespace="shop",pipeline="cards"';
    for (const line of [
      `variscale_load_requests_per_second{${of}} 50`,
      `variscale_replicas_ready{${of},stage="detect"} 1`,
      `variscale_condition{${of},type="Ready"} 1`,
      `variscale_decision_reason{${of},reason="infeasible"} 0`,
      `variscale_switchers{${of},stage="detect",variant="unknown",ready="true"} 1`,
      `variscale_tick_failures_total`,
      `variscale_build_info{process="scaler"`,
    ])
      assert.ok(text.includes(line), line);
    assert.match(
      text,
      /# TYPE variscale_load_samples_rejected_total counter\nvariscale_load_samples_rejected_total\{.*\} \d/,
    );
    assert.match(text, /# TYPE variscale_replicas_ready gauge\n/);
    assert.match(text, /variscale_forecast_requests_per_second\{.*quantile="0.95"\} \d/);
    assert.match(text, /variscale_decisions_total\{.*\} [1-9]/);
    assert.match(text, /variscale_tick_seconds_count [1-9]/);
    assert.equal(lying.ended, null);
  });

  it("answers any body and path without dying", async () => {
    const path = fc.webPath();
    const body = fc.oneof(fc.json(), fc.string({ unit: "binary" }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("pin", "mode"), body, path, async (end, text, other) => {
        const put = await fetch(running.url(`${PIPELINE}/${end}`), { method: "PUT", body: text });
        assert.ok(put.status === 400 || put.status === 200, String(put.status));
        const got = await fetch(running.url(`/api/v1/pipelines${other}`));
        assert.ok(got.status < 500, `${got.status} for ${other}`);
      }),
      { numRuns: 100 },
    );
    assert.equal((await get("/readyz")).status, 200);
  });

  it("shows nothing to a web page whose own name points at this machine, but for whether it lives", async () => {
    const readStatus = (path: string, host: string) => readStatusWith(running, path, { host });
    for (const path of ["/", "/api/v1/pipelines", PIPELINE, "/metrics"]) {
      for (const host of ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"])
        assert.equal(await readStatus(path, host), 403, `${path} ${host}`);
      for (const host of ["localhost:1", "127.0.0.1", "[::1]:8080", "10.1.2.3:8080", "LOCALHOST"])
        assert.equal(await readStatus(path, host), 200, `${path} ${host}`);
    }
    assert.equal(await readStatus("/healthz", "evil.example"), 200);
  });

  it("takes changes from this machine alone, not from a web page or through a proxy", async () => {
    const pin = { stage: "read", replicas: 1, ttlMs: 5000 };
    const statusWith = (headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = httpRequest(running.url(`${PIPELINE}/pin`), { method: "PUT", headers }, response => {
          response.resume();
          resolve(response.statusCode);
        });
        request.on("error", reject);
        request.end(JSON.stringify(pin));
      });
    assert.equal(await statusWith({ "x-forwarded-for": "10.0.0.1" }), 403);
    for (const header of [
      ...["forwarded", "via", "x-forwarded-proto", "x-forwarded-client-cert", "x-envoy-internal"],
      ...["x-envoy-peer-metadata", "l5d-dst-override", "l5d-client-id"],
    ])
      assert.equal(await statusWith({ [header]: "1" }), 403, header);
    assert.equal(await statusWith({ host: "evil.example" }), 403);
    assert.equal(await statusWith({}), 200);
  });
});

describe("who may change something without a token", () => {
  const from = (remoteAddress: string, localAddress = "127.0.0.1"): HttpRequest => ({
    ...{ method: "PUT", path: "/", params: {}, query: new URLSearchParams(), body: Buffer.alloc(0) },
    ...{ headers: { host: "localhost:8080" }, remoteAddress, localAddress, signal: AbortSignal.timeout(1000) },
  });
  const readStatus = (request: HttpRequest, needsToken = false) =>
    refuseMutation(request, { token: null, needsToken })?.status ?? 200;

  it("is this machine by its own two addresses, not the sidecar of a mesh", () => {
    for (const own of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) assert.equal(readStatus(from(own, own)), 200, own);
    for (const other of ["127.0.0.6", "::ffff:127.0.0.6", "10.0.0.1", ""])
      assert.equal(readStatus(from(other)), 403, other);
    assert.equal(readStatus(from("127.0.0.1", "10.0.0.7")), 403, "to the pod's own address");
  });

  it("is nobody in a cluster", () => {
    assert.equal(readStatus(from("127.0.0.1"), true), 403);
  });
});

describe("HTTP API with a token", () => {
  it("refuses a change before its body has come", async () => {
    const running = await RunningScaler.start({ token: "secret" });
    try {
      const head = "PUT /api/v1/pipelines/shop/cards/mode HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n";
      const socket = connect(running.scaler.ports.http, "127.0.0.1");
      socket.write(`${head}Content-Length: 50\r\n\r\n`);
      const [answer] = await once(socket, "data");
      assert.match(String(answer), /^HTTP\/1.1 401 /);
      socket.destroy();
    } finally {
      await running.close();
    }
  });

  it("shows nothing to a web page whose own name points at a forwarded port, unless the request shows the token", async () => {
    const running = await RunningScaler.start({ token: "secret" });
    try {
      for (const path of ["/", PIPELINE, "/metrics"]) {
        const readStatus = (headers: OutgoingHttpHeaders) => readStatusWith(running, path, headers);
        assert.equal(await readStatus({ host: "evil.example:8080" }), 401, path);
        assert.equal(await readStatus({ host: "evil.example", authorization: "Bearer wrong" }), 401, path);
        assert.equal(await readStatus({ host: "evil.example", authorization: "Bearer secret" }), 200, path);
        assert.equal(await readStatus({ host: "127.0.0.1:8080" }), 200, path);
      }
      assert.equal(await readStatusWith(running, "/healthz", { host: "evil.example" }), 200);
    } finally {
      await running.close();
    }
  });

  it("shows all to a proxy beside the scaler that keeps a name which is allowed, and takes no change from it without the token", async () => {
    const running = await RunningScaler.start({ token: "secret", allowedHosts: ["scaler.example"] });
    try {
      for (const path of ["/", PIPELINE, "/metrics"]) {
        for (const host of ["scaler.example", "Scaler.example:8080"])
          assert.equal(await readStatusWith(running, path, { host }), 200, `${path} ${host}`);
        for (const host of ["other.scaler.example", "scaler.example.evil"])
          assert.equal(await readStatusWith(running, path, { host }), 401, `${path} ${host}`);
      }
      assert.equal(await readStatusWith(running, `${PIPELINE}/pin`, { host: "scaler.example" }, "DELETE"), 401);
    } finally {
      await running.close();
    }
  });

  it("takes changes from who shows it alone, and lets all read", async () => {
    const running = await RunningScaler.start({ token: "secret" });
    try {
      const change = (authorization: string) =>
        fetch(running.url(`${PIPELINE}/mode`), {
          method: "PUT",
          headers: authorization === "" ? {} : { authorization },
          body: '{"mode":"shadow"}',
        });
      for (const wrong of ["", "Bearer other", "Basic secret", "Bearer "])
        assert.equal((await change(wrong)).status, 401, wrong);
      assert.equal((await change("Bearer secret")).status, 200);
      assert.equal((await fetch(running.url(PIPELINE))).status, 200);
    } finally {
      await running.close();
    }
  });
});

function readStatusWith(
  running: RunningScaler,
  path: string,
  headers: OutgoingHttpHeaders,
  method = "GET",
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(running.url(path), { method, headers }, response => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
    request.end();
  });
}
