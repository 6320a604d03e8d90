import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { LoadSample } from "../../domain/load.ts";
import type { LoadQuery } from "../../domain/load-query.ts";
import type { LoadSource } from "../../scaler/load-source.ts";
import { openPrometheusClient, type PrometheusClient } from "../../scaler/prometheus-client.ts";
import { parsePrometheusUrl } from "../../scaler/prometheus-options.ts";
import { openPrometheusSource, type PrometheusSourceOptions } from "../../scaler/prometheus-source.ts";
import { FakePrometheus, type FakeSeries, success } from "./support/fake-prometheus.ts";
import { ManualClock, until } from "./support/manual-clock.ts";

const START_MS = 1_700_000_000_000;
const LABELS = { job: "gateway" };

describe("openPrometheusSource()", () => {
  let clock: ManualClock;
  let prometheus: FakePrometheus;
  let source: LoadSource;
  let client: PrometheusClient;
  let polls: boolean[];
  let refused: number;

  const open = (more: Partial<PrometheusSourceOptions> & { readonly options?: string } = {}): void => {
    polls = [];
    refused = 0;
    client = openPrometheusClient(
      parsePrometheusUrl(`prometheus+http://127.0.0.1:${prometheus.port}${more.options ?? ""}`, null),
    );
    source = openPrometheusSource({
      client,
      key: { namespace: "shop", name: "cards" },
      query: null,
      clock,
      knownToMs: null,
      onPoll: ok => polls.push(ok),
      onRefused: values => {
        refused += values;
      },
      ...more,
    });
  };
  const polled = (count: number) => until(() => polls.length >= count, `${count} polls`);
  /** All that there is now, over as many takes as it needs. */
  const takeAll = (): LoadSample[] => {
    const all: LoadSample[] = [];
    for (let taken = source.take(); taken.length > 0; taken = source.take()) all.push(...taken);
    return all;
  };
  /** Lets time pass, with the polls in it. */
  const pass = async (ms: number): Promise<LoadSample[]> => {
    const all: LoadSample[] = [];
    for (let passed = 0; passed < ms; passed += 1000) {
      await clock.advance(1000);
      await settle();
      all.push(...takeAll());
    }
    return all;
  };
  /** A poll that began ends before time goes on. */
  const settle = async (): Promise<void> => {
    for (let quiet = 0, before = -1; quiet < 3; ) {
      await new Promise(resolve => setTimeout(resolve, 1));
      const now = prometheus.asked.length + polls.length;
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
  };
  /** Scraped every 15 s for an hour before the start and an hour after it, 20 requests a second. */
  const steady = (count: (atMs: number) => number | string = atMs => (atMs - START_MS + 7_200_000) / 50): FakeSeries =>
    prometheus.scrape(LABELS, { fromMs: START_MS - 3_700_000, toMs: START_MS + 3_600_000, intervalMs: 15_000 }, count);
  const sum = (samples: readonly LoadSample[]) => samples.reduce((total, { rateRps }) => total + rateRps, 0);

  beforeEach(async () => {
    clock = new ManualClock(START_MS);
    prometheus = await FakePrometheus.start(clock);
  });
  afterEach(async () => {
    source.close();
    client.close();
    await prometheus.close();
  });

  it("fills in the last hour first, some at a time, and goes on with every scrape", async () => {
    steady();
    open();
    await polled(1);
    assert.equal(source.take().length, 600);
    const rest = takeAll();
    assert.equal(600 + rest.length, 3590, "all but the ten seconds since the newest scrape");
    assert.ok(rest.every((sample, i) => sample.atMs - (rest[i - 1]?.atMs ?? sample.atMs - 1000) === 1000));
    assert.ok(Math.abs(sum(rest) / rest.length - 20) < 0.1);
    const next = await pass(30_000);
    assert.equal(next.length, 30);
    assert.equal(sum(next), 600);
    assert.equal(source.problem, null);
    assert.equal(source.staleAfterMs, 60_000);
    assert.ok(polls.length <= 8, `${polls.length} polls for two scrapes`);
    const queries = new Set(prometheus.asked.map(({ form }) => form.get("query")?.replace(/\[.*/, "")));
    assert.deepEqual(
      [...queries],
      ["time()", 'variscale_gateway_offered_requests_total{namespace="shop",pipeline="cards"}'],
    );
  });

  it("asks for no more of the past than it is told, and for nothing that is known", async () => {
    steady();
    open({ options: "?backfillMs=300000" });
    await polled(1);
    assert.equal(takeAll().length, 290);
    source.close();
    open({ knownToMs: START_MS - 100_000 });
    await polled(1);
    assert.equal(takeAll()[0]?.atMs, START_MS - 99_000);
    source.close();
    open({ options: "?backfillMs=0" });
    await polled(1);
    assert.equal((await pass(30_000)).length, 20);
  });

  it("is caught up with after an outage, without a second twice or missing", async () => {
    steady();
    open();
    await polled(1);
    const before = takeAll();
    prometheus.answer = response => response.writeHead(503).end();
    assert.deepEqual(await pass(120_000), []);
    assert.match(source.problem ?? "", /^http:\/\/127\.0\.0\.1:\d+: answered with status 503$/);
    assert.ok(polls.length < 25, `${polls.length} polls of a server that fails`);
    prometheus.answer = null;
    const after = [...before, ...(await pass(30_000))];
    assert.equal(source.problem, null);
    assert.ok(after.length > 3590 + 130);
    assert.ok(after.every((sample, i) => sample.atMs - (after[i - 1]?.atMs ?? sample.atMs - 1000) === 1000));
  });

  it("moves seconds to the scaler's time, whatever the clock of the Prometheus is", async () => {
    for (const aheadMs of [3_600_400, -86_400_000, 900]) {
      prometheus.series.length = 0;
      prometheus.aheadMs = aheadMs;
      const fromMs = START_MS + aheadMs - 600_000;
      prometheus.scrape(LABELS, { fromMs, toMs: fromMs + 900_000, intervalMs: 5000 }, atMs => (atMs - fromMs) / 100);
      open();
      await polled(1);
      const newest = takeAll().at(-1);
      assert.ok(Math.abs((newest?.atMs ?? 0) - clock.nowMs()) <= 6000, String(aheadMs));
      source.close();
    }
    prometheus.aheadMs = 0;
  });

  it("goes on when the clock of the Prometheus is set back", async () => {
    prometheus.aheadMs = 600_000;
    const fromMs = START_MS - 300_000;
    prometheus.scrape(LABELS, { fromMs, toMs: START_MS + 1_200_000, intervalMs: 5000 }, atMs => (atMs - fromMs) / 100);
    open();
    await polled(1);
    takeAll();
    prometheus.aheadMs = 0;
    const samples = await pass(90_000);
    assert.ok(samples.length > 0);
    assert.ok(Math.abs((samples.at(-1)?.atMs ?? 0) - clock.nowMs()) < 10_000);
  });

  it("takes old points for no new load: nothing comes, and the problem says so", async () => {
    const series = steady();
    series.points.splice(0, series.points.length, ...series.points.filter(([at]) => at * 1000 <= START_MS + 30_000));
    open();
    await polled(1);
    takeAll();
    const samples = await pass(120_000);
    assert.equal(samples.at(-1)?.atMs, Math.floor((series.points.at(-1)?.[0] ?? 0) * 1000));
    assert.match(
      source.problem ?? "",
      /the newest scrape is \d+ s old: look whether the target is up; `variscale_gate/,
    );
  });

  it("says that there is no such series", async () => {
    open({ query: { kind: "counter", selector: 'other{x="1"}' } });
    await polled(1);
    assert.match(source.problem ?? "", /there is no such series now: .*; `other\{x="1"\}`$/);
  });

  it("says what values it refused, and leaves their seconds missing", async () => {
    steady(atMs => (atMs > START_MS - 40_000 ? "NaN" : 0));
    open();
    await polled(1);
    assert.match(source.problem ?? "", /values are no rates \(NaN, infinite, negative or too high\)/);
    assert.ok(refused > 0);
  });

  it("passes warnings on as long as they are given", async () => {
    steady();
    prometheus.warnings = ["a store did not answer"];
    open();
    await polled(1);
    assert.equal(source.warning, "a store did not answer");
    assert.equal(source.problem, null);
    prometheus.warnings = [];
    await pass(20_000);
    assert.equal(source.warning, null);
  });

  it("reads shorter spans where an answer is too large, and gives up a past that can't be read", async () => {
    steady();
    const spans: number[] = [];
    prometheus.answer = (response, asked) => {
      const seconds = Number(/\[(\d+)s\]/.exec(asked.form.get("query") ?? "")?.[1] ?? 0);
      if (seconds > 0) spans.push(seconds);
      response.end(seconds > 400 ? Buffer.alloc(5 * 1024 * 1024, " ") : prometheus.answerTo(asked));
    };
    open();
    await polled(1);
    const samples = await pass(20_000);
    assert.equal(source.problem, null);
    assert.ok(samples.length > 3500, "the span was halved until it fitted");
    assert.ok(Math.max(...spans) > 600 && Math.min(...spans) <= 400);
    source.close();
    prometheus.answer = (response, asked) => {
      const isPast = Number(asked.form.get("time") ?? Number.POSITIVE_INFINITY) * 1000 < clock.nowMs() - 100_000;
      if (isPast) response.writeHead(503).end();
      else response.end(prometheus.answerTo(asked));
    };
    open();
    await polled(1);
    const recent = await pass(20_000);
    assert.equal(source.problem, null);
    assert.ok(recent.length > 30 && recent.length < 120, String(recent.length));
  });

  it("reads an expression by range queries, a step at a time", async () => {
    const query: LoadQuery = { kind: "rate", expression: "sum(rate(x[1m]))" };
    prometheus.expression = seconds => (seconds * 1000 > START_MS ? "40" : "10");
    open({ query, options: "?backfillMs=600000" });
    await polled(1);
    const past = takeAll();
    assert.equal(past.length, 600);
    assert.equal(sum(past), 6000);
    const next = await pass(20_000);
    assert.equal(next.length, 20);
    assert.equal(sum(next), 800);
    assert.equal(source.staleAfterMs, 20_000);
    const ranges = prometheus.asked.filter(({ path }) => path === "/api/v1/query_range").map(({ form }) => form);
    assert.ok(ranges.every(form => form.get("query") === "sum(rate(x[1m]))" && form.get("step") === "5"));
    assert.ok(polls.length <= 6, `${polls.length} polls`);
  });

  it("leaves out the steps at which an expression gives nothing, or no rate", async () => {
    const query: LoadQuery = { kind: "rate", expression: "x" };
    const values: Record<number, string | null> = { 10: null, 20: "NaN", 30: "-1", 40: "1e9", 50: "+Inf" };
    prometheus.expression = seconds => {
      const value = values[START_MS / 1000 - seconds];
      return value === undefined ? "6" : value;
    };
    open({ query, options: "?backfillMs=60000" });
    await polled(1);
    assert.equal(takeAll().length, 35);
    assert.match(source.problem ?? "", /4 values are no rates .*; `x`/);
    prometheus.expression = () => null;
    await pass(10_000);
    assert.match(source.problem ?? "", /the query gives no value now/);
  });

  it("has one poll at a time, however slow the answers are", async () => {
    const hanging: ServerResponse[] = [];
    prometheus.answer = response => hanging.push(response);
    open();
    await until(() => hanging.length === 1, "the first query");
    await clock.advance(10_000);
    assert.equal(hanging.length, 1);
    assert.equal(source.problem, null);
    assert.deepEqual(source.take(), []);
    prometheus.answer = null;
    hanging[0]?.end(success("scalar", [START_MS / 1000, "1"]));
    await polled(1);
  });

  it("is broken by no answer, whatever it is", async () => {
    const value = fc.oneof(fc.constantFrom("1", "NaN", "-1", "1e300", "", "x", "+Inf"), fc.string(), fc.jsonValue());
    const time = fc.oneof(
      fc.integer({ min: START_MS / 1000 - 100, max: START_MS / 1000 + 100 }),
      fc.double(),
      fc.jsonValue(),
    );
    const point = fc.tuple(time, value);
    const answer = fc.oneof(
      fc.array(point, { maxLength: 8 }).map(values => success("matrix", [{ metric: {}, values }])),
      fc.tuple(fc.constantFrom("matrix", "vector", "scalar"), fc.jsonValue()).map(([type, any]) => success(type, any)),
      point.map(pair => success("scalar", pair)),
      fc.json(),
      fc.string(),
      fc.uint8Array().map(bytes => Buffer.from(bytes).toString("latin1")),
    );
    const status = fc.constantFrom(200, 200, 200, 204, 302, 400, 500);
    const query = fc.constantFrom<LoadQuery | null>(null, { kind: "rate", expression: "x" });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(status, answer), { minLength: 1, maxLength: 4 }), query, async (all, asks) => {
        let next = 0;
        prometheus.answer = (response, asked) => {
          // The time is told right at first, so that what follows is reached.
          if (next === 0 && asked.form.get("query") === "time()") {
            response.end(prometheus.answerTo(asked));
            return;
          }
          const [code, text] = all[next % all.length] ?? [500, ""];
          next += 1;
          response.writeHead(code).end(text);
        };
        open({ query: asks, options: "?backfillMs=60000" });
        await polled(1);
        for (let i = 0; i < 3; i++) {
          await clock.advance(9000);
          await polled(2 + i);
        }
        for (const { atMs, rateRps } of takeAll())
          assert.ok(Number.isFinite(atMs) && rateRps >= 0 && rateRps <= 1e7, `${atMs} ${rateRps}`);
        assert.ok(source.problem === null || source.problem.length < 1000);
        source.close();
        client.close();
      }),
      { numRuns: 60 },
    );
  });
});
