import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { LoadSample } from "../../domain/load.ts";
import { HttpClient } from "../../runtime/http-client.ts";
import { checkGatewayUrl, GATEWAY_POLL_MS, openGatewaySource } from "../../scaler/gateway-source.ts";
import type { LoadSource } from "../../scaler/load-source.ts";
import { Rota } from "../../scaler/rota.ts";
import { FakeGateway } from "./support/fake-gateway.ts";
import { ManualClock, until } from "./support/manual-clock.ts";

describe("openGatewaySource()", () => {
  let clock: ManualClock;
  let gateway: FakeGateway;
  let source: LoadSource;
  let httpClient: HttpClient;
  let polls: boolean[];

  const open = (knownToMs: number | null = null) => {
    polls = [];
    httpClient = new HttpClient({ idleMs: 3000 });
    const key = { namespace: "shop", name: "cards" };
    source = openGatewaySource({
      url: gateway.url,
      key,
      httpClient,
      clock,
      rota: new Rota(clock, GATEWAY_POLL_MS),
      knownToMs,
      onPoll: ok => polls.push(ok),
    });
  };
  const polled = (count: number) => until(() => polls.length >= count, `${count} polls`);
  /** One second, and the poll in it. */
  const second = async (): Promise<readonly LoadSample[]> => {
    const before = polls.length;
    await clock.advance(1000);
    await polled(before + 1);
    return source.take();
  };

  beforeEach(async () => {
    clock = new ManualClock();
    gateway = await FakeGateway.start(clock);
    gateway.rateRps = 5;
  });
  afterEach(async () => {
    source.close();
    httpClient.close();
    await gateway.close();
  });

  it("reads the last minute first, and each second once from then on", async () => {
    open();
    await polled(1);
    assert.equal(gateway.paths[0], "/v1/pipelines/shop/cards/load");
    const first = source.take();
    assert.equal(first.length, 60);
    assert.equal(first.at(-1)?.atMs, clock.nowMs());
    gateway.rateRps = 9;
    assert.deepEqual(await second(), [{ atMs: clock.nowMs(), rateRps: 9 }]);
    assert.deepEqual(source.take(), []);
    assert.equal(source.problem, null);
  });

  it("asks for what it has not read, and for all of another run", async () => {
    open();
    await polled(1);
    const readTo = clock.nowMs();
    await second();
    gateway.epoch = "run 2";
    gateway.startedAtMs = clock.nowMs();
    await second();
    await second();
    const ofRun = (epoch: string, afterMs: number) => String(new URLSearchParams({ epoch, after: String(afterMs) }));
    const asked = gateway.queries.map(query => String(new URLSearchParams(query)));
    const [start, first, ofOldRun, ofNewRun] = asked;
    assert.deepEqual(
      [start, first, ofOldRun, ofNewRun],
      ["", ofRun("run-1", readTo), ofRun("run-1", readTo + 1000), ofRun("run 2", readTo + 2000)],
    );
  });

  it("gives what was answered since the last call, and nothing of before the first report", async () => {
    const estimate = { variants: { detect: "light" }, requests: 40, right: 30, labels: 0, correction: 0 };
    gateway.estimates = [estimate];
    open();
    await polled(1);
    assert.deepEqual(source.takeAnswered(), []);
    gateway.estimates = [{ ...estimate, requests: 50, right: 38 }];
    await second();
    gateway.estimates = [{ ...estimate, requests: 52, right: 39, labels: 1, correction: -0.5 }];
    await second();
    assert.deepEqual(source.takeAnswered(), [
      { ...estimate, requests: 10, right: 8 },
      { ...estimate, requests: 2, right: 1, labels: 1, correction: -0.5 },
    ]);
    assert.deepEqual(source.takeAnswered(), []);
  });

  it("gives no second again that was known before a restart, and every one after it", async () => {
    open(clock.nowMs() - 20_000);
    await polled(1);
    const first = source.take();
    assert.deepEqual([first.length, first[0]?.atMs], [20, clock.nowMs() - 19_000]);
    assert.equal((await second()).length, 1);
  });

  it("loses nothing over polls that fail for less than a minute", async () => {
    open();
    await polled(1);
    source.take();
    gateway.answer = response => response.writeHead(503).end();
    for (let i = 0; i < 10; i++) assert.deepEqual(await second(), []);
    assert.match(source.problem ?? "", /answered with status 503/);
    gateway.answer = null;
    const caughtUp = await second();
    assert.equal(caughtUp.length, 11);
    assert.equal(source.problem, null);
    assert.deepEqual([polls.filter(ok => !ok).length, polls.filter(ok => ok).length], [10, 2]);
  });

  it("leaves seconds missing that no gateway counted, and goes on when it was started again", async () => {
    open();
    await polled(1);
    source.take();
    gateway.answer = response => response.destroy();
    for (let i = 0; i < 5; i++) await second();
    gateway.answer = null;
    gateway.epoch = "run-2";
    gateway.startedAtMs = clock.nowMs();
    const samples = [...(await second()), ...(await second())];
    assert.deepEqual(
      samples.map(sample => sample.atMs),
      [clock.nowMs() - 1000, clock.nowMs()],
    );
  });

  it("follows a new run whose clock is behind that of the last one", async () => {
    open();
    await polled(1);
    source.take();
    gateway.epoch = "run-2";
    gateway.aheadMs = -500_000;
    gateway.startedAtMs = clock.nowMs();
    const samples = [...(await second()), ...(await second())];
    assert.deepEqual(
      samples.map(sample => sample.atMs),
      [clock.nowMs() - 1000, clock.nowMs()],
    );
  });

  it("moves the seconds of a gateway whose clock is off to the scaler's time", async () => {
    gateway.aheadMs = 3_600_250;
    open();
    await polled(1);
    const newest = source.take().at(-1);
    assert.ok(Math.abs((newest?.atMs ?? 0) - clock.nowMs()) <= 1000);
    assert.equal((await second()).length, 1);
  });

  it("names what is wrong with an answer that is no load report", async () => {
    const answers = [
      ["not JSON", /is not JSON/],
      ["{}", /no load report: epoch/],
      ['{"epoch":"e","startedAtMs":0,"atMs":1e400,"seconds":[]}', /atMs/],
      [`"${"x".repeat(300_000)}"`, /more than 262144 bytes/],
    ] as const;
    open();
    for (const [text, message] of answers) {
      gateway.answer = response => response.end(text);
      await second();
      assert.match(source.problem ?? "", message);
    }
  });

  it("leaves out rates that can't be", async () => {
    gateway.answer = response => {
      const seconds = [-1, 1e9, 3].map((rateRps, i) => ({ atMs: clock.nowMs() - 3000 + i * 1000, rateRps }));
      response.end(JSON.stringify({ epoch: "e", startedAtMs: 0, atMs: clock.nowMs(), seconds }));
    };
    open();
    await polled(1);
    assert.deepEqual(
      source.take().map(sample => sample.rateRps),
      [3],
    );
  });

  it("asks once more, over a new connection, where a kept one was closed by the other side", async () => {
    open();
    await polled(1);
    source.take();
    let asked = 0;
    gateway.answer = response => {
      asked += 1;
      if (asked === 1) response.destroy();
      else response.end(JSON.stringify(gateway.report()));
    };
    assert.equal((await second()).length, 1);
    assert.equal(source.problem, null);
    assert.equal(asked, 2);
  });

  it("gives up a gateway that says nothing or stops in the middle of an answer, and polls it again", async () => {
    for (const begin of ["", '{"epoch":']) {
      gateway.answer = response => begin !== "" && response.write(begin);
      open();
      await polled(1);
      assert.match(source.problem ?? "", /no answer within 2000 ms/);
      gateway.answer = null;
      await second();
      assert.equal(source.problem, null);
      source.close();
      httpClient.close();
    }
  });

  it("has one poll at a time, however slow the gateway is", async () => {
    const hanging: (() => void)[] = [];
    gateway.answer = response => hanging.push(() => response.end(JSON.stringify(gateway.report())));
    open();
    await until(() => hanging.length === 1, "the first poll");
    for (let i = 0; i < 5; i++) await clock.advance(1000);
    assert.equal(hanging.length, 1);
    gateway.answer = null;
    hanging[0]?.();
    await polled(1);
    assert.ok(source.take().length > 0);
  });
});

describe("checkGatewayUrl()", () => {
  it("takes http URLs alone", () => {
    checkGatewayUrl("http://localhost:8090");
    for (const url of ["localhost:8090", "ftp://x", "https://x", ""])
      assert.throws(() => checkGatewayUrl(url), { code: "invalid_argument", message: /is no http address/ });
  });

  it("refuses credentials in the address, and never shows them", () => {
    for (const url of ["http://me:hunter2@gateway:8090", "http://me:hunter2@", "//me:hunter/2@gateway"])
      assert.throws(
        () => checkGatewayUrl(url),
        (error: Error) => "code" in error && error.code === "invalid_argument" && !error.message.includes("hunter"),
        url,
      );
  });
});
