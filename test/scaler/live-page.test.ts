import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { ExplainedDecision, LiveView } from "../../dashboard/live-view.ts";
import { pointsKept } from "../../scaler/live-history.ts";
import { RunningScaler } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const PIPELINE = "/api/v1/pipelines/shop/cards";
const HOSTILE = '"><script>alert(1)</script>';

describe("live page", () => {
  let running: RunningScaler;
  beforeEach(async () => {
    running = await RunningScaler.start();
  });
  afterEach(() => running.close());

  const json = async <T>(path: string): Promise<T> => {
    const response = await fetch(running.url(path));
    assert.equal(response.status, 200, path);
    return (await response.json()) as T;
  };

  /** Lets seconds pass until something holds, ten at most. */
  const secondsUntil = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let second = 0; second < 10; second++) {
      await running.runUntil(() => true);
      if (await holds()) return;
    }
    assert.fail("ten seconds were not enough");
  };

  it("is served with what keeps foreign scripts out", async () => {
    const response = await fetch(running.url("/"));
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = response.headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
      assert.ok(policy.split("; ").includes(rule), `${rule} in ${policy}`);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    const html = await response.text();
    // The policy stops these; a page that has them does not work.
    assert.doesNotMatch(html, /<style|style=|<script(?![^>]* src=)|\son[a-z]+=/);
  });

  it("loads every script and style from below itself, 300 kB at most", async () => {
    const loaded = new Map<string, number>();
    const load = async (path: string): Promise<void> => {
      if (loaded.has(path)) return;
      const response = await fetch(running.url(path));
      assert.equal(response.status, 200, path);
      const text = await response.text();
      loaded.set(path, Buffer.byteLength(text));
      const type = response.headers.get("content-type") ?? "";
      const pattern = type.startsWith("text/html") ? /(?:src|href)="([^"]+)"/g : /from "([^"]+)"|import\("([^"]+)"\)/g;
      for (const [, first, second] of type.startsWith("text/css") ? [] : text.matchAll(pattern)) {
        const address = first ?? second ?? "";
        // Relative, so that it works below any path of a proxy.
        assert.doesNotMatch(address, /^\/|^[a-z]+:/, `${path} loads ${address}`);
        await load(new URL(address, running.url(path)).pathname);
      }
    };
    await load("/");
    for (const path of ["dashboard/main.js", "explanation/reason-text.js", "library/uplot.js", "library/uplot.css"])
      assert.ok(loaded.has(`/page/${path}`), `${path} is not in ${[...loaded.keys()].join()}`);
    const bytes = [...loaded.values()].reduce((sum, size) => sum + size, 0);
    assert.ok(bytes <= 300_000, `${bytes} bytes`);
  });

  it("serves nothing else of the package, and says when a file is as it was", async () => {
    for (const path of [
      "scaler/main.js",
      "dashboard/main.d.ts",
      "dashboard/main.js.map",
      "dashboard/none.js",
      "library/none.js",
      "library/uPlot.iife.min.js",
      "library/..%2F..%2Fpackage.json",
      "..%2Fscaler/main.js",
      "dashboard/..%2F..%2Fpackage.json",
    ])
      assert.equal((await fetch(running.url(`/page/${path}`))).status, 404, path);
    const first = await fetch(running.url("/page/dashboard/main.js"));
    const etag = first.headers.get("etag") ?? "";
    await first.text();
    const again = await fetch(running.url("/page/dashboard/main.js"), { headers: { "if-none-match": etag } });
    assert.equal(again.status, 304);
    assert.equal((await again.text()).length, 0);
  });

  it("shows what is planned, served and waiting, and why", async () => {
    const empty = await json<LiveView>(`${PIPELINE}/live`);
    assert.equal(empty.board?.plan, null);
    const switcher = running.switcher();
    running.gateway.rateRps = 50;
    let batches = 0;
    await running.runUntil(
      board => board.stages[0]?.replicasReady === 1 && batches > 120,
      () => {
        batches += 10;
        const times = { variant: "heavy", totalMs: 1 };
        const serviceTimes = [
          { ...times, rows: 2, batches },
          { ...times, rows: 4, batches },
        ];
        const counted = { state: "resident", reason: "", loadMs: 1, memoryMib: 1 };
        const variants = [
          { ...counted, variant: "heavy", shadowRows: batches },
          { ...counted, variant: "light", shadowRows: 3 * batches },
        ];
        switcher.report({ queuedRows: 3, queueAgeMs: 12, serviceTimes, variants });
      },
    );
    const view = await json<LiveView>(`${PIPELINE}/live`);
    assert.equal(view.board?.decisionId, running.board?.decisionId);
    assert.deepEqual(view.slo, { latencyMs: 500, quantile: running.pipeline.slo.quantile });
    const [detect, read] = view.stages;
    assert.deepEqual(detect?.serving, [{ variant: switcher.newest?.top, replicas: 1 }]);
    assert.deepEqual(detect?.rowShares, [{ variant: "heavy", share: 1 }]);
    assert.deepEqual(detect?.shadowShares, [
      { variant: "light", share: 0.75 },
      { variant: "heavy", share: 0.25 },
    ]);
    const { top, floor, rungs, shadow } = switcher.newest ?? {};
    assert.deepEqual(detect?.ladder, { top, floor, rungs, shadow });
    assert.equal(detect?.ladder?.floor, "light");
    assert.deepEqual([detect?.queuedRows, detect?.queueAgeMs, detect?.batchRows], [3, 12, 3]);
    assert.deepEqual([read?.dependsOn, read?.batch, read?.batchRows], [["detect"], null, null]);
  });

  it("tells the newest changes by operators, and not where they came from", async () => {
    const change = async (method: string, path: string, body?: object): Promise<void> => {
      const answer = await fetch(running.url(`${PIPELINE}/${path}`), {
        method,
        ...(body && { body: JSON.stringify(body) }),
      });
      assert.equal(answer.status, 200);
    };
    const pin = { stage: "read", replicas: 2, ttlMs: 60_000, by: "ann", reason: "compare" };
    await change("PUT", "pin?dryRun=true", pin);
    assert.deepEqual((await json<LiveView>(`${PIPELINE}/live`)).changes, []);
    await change("PUT", "pin", pin);
    await change("DELETE", "pin?stage=read&by=bob");
    await change("PUT", "mode", { mode: "shadow" });
    await change("PUT", "tuning", { forecastQuantile: 0.99, ttlMs: 60_000 });
    const { changes } = await json<LiveView>(`${PIPELINE}/live`);
    assert.deepEqual(
      changes.map(({ kind, by, shown }) => [kind, by, shown]),
      [
        ["tuning", "", "this_machine"],
        ["mode", "", "this_machine"],
        ["unpin", "bob", "this_machine"],
        ["pin", "ann", "this_machine"],
      ],
    );
    assert.deepEqual(changes[1], {
      ...{ kind: "mode", mode: "shadow", before: "active" },
      ...{ atMs: running.clock.nowMs(), by: "", reason: "", shown: "this_machine" },
    });
    assert.doesNotMatch(JSON.stringify(changes), /127\.0\.0\.1|from|forwardedFor/);
    for (let i = 0; i < 20; i++) await change("PUT", "mode", { mode: "shadow" });
    assert.equal((await json<LiveView>(`${PIPELINE}/live`)).changes.length, 8);
  });

  it("gives the points of its history that a page does not have yet", async () => {
    await running.planFor(50);
    const whole = (await json<LiveView>(`${PIPELINE}/live`)).history;
    const newestMs = whole.atMs.at(-1) ?? 0;
    assert.ok(whole.atMs.length > 1);
    assert.equal(whole.values.loadRps.at(-1), 50);
    assert.equal(whole.decisionId.at(-1), running.board?.decisionId);
    assert.equal(whole.stages[0]?.variant.length, whole.atMs.length);
    await running.clock.advance(2000);
    const { history } = await json<LiveView>(`${PIPELINE}/live?after=${newestMs}`);
    assert.deepEqual(history.atMs, [newestMs + 1000, newestMs + 2000]);
    for (const after of ["x", "-1", "1e3", ""])
      assert.equal((await fetch(running.url(`${PIPELINE}/live?after=${after}`))).status, 400, after);
  });

  it("has what the gateway measured, and nothing where it does not answer or does not say", async () => {
    running.gateway.lastMinute = { ended: 200, inTime: 190, latencyMs: { p50: 80, p99: 412 } };
    await running.planFor(50);
    const { lastMinute, history } = await json<LiveView>(`${PIPELINE}/live`);
    assert.deepEqual(lastMinute, running.gateway.lastMinute);
    assert.deepEqual([history.values.p99Ms.at(-1), history.values.inTime.at(-1)], [412, 0.95]);
    const measured = async (): Promise<boolean> => {
      const view = await json<LiveView>(`${PIPELINE}/live`);
      return view.lastMinute !== null && view.history.values.p99Ms.at(-1) === 412;
    };
    running.gateway.answer = response => response.destroy();
    await secondsUntil(async () => !(await measured()));
    running.gateway.answer = null;
    await secondsUntil(measured);
    running.gateway.answer = response => {
      const { lastMinute: _left, ...earlier } = running.gateway.report();
      response.end(JSON.stringify(earlier));
    };
    await secondsUntil(async () => !(await measured()));
    assert.equal(running.board?.load?.rateRps, 50);
  });

  it("has accuracy as answers of late show it, where they do", async () => {
    await running.close();
    const pipeline = testPipeline();
    const variants = { detect: "heavy", read: "heavy" };
    const combinations = [{ variants, accuracy: 0.9, items: 300 }];
    running = await RunningScaler.start({
      pipelines: [{ ...pipeline, accuracy: { ...pipeline.accuracy, combinations } }],
    });
    await running.planFor(50);
    let { history } = await json<LiveView>(`${PIPELINE}/live`);
    assert.deepEqual(new Set(history.values.estimatedAccuracy), new Set([null]));
    let requests = 0;
    await running.runUntil(
      board => (board.estimated?.accuracy ?? 1) < 0.8,
      () => {
        requests += 100;
        running.gateway.estimates = [{ variants, requests, right: requests / 2, labels: 0, correction: 0 }];
      },
    );
    ({ history } = await json<LiveView>(`${PIPELINE}/live`));
    const newest = history.values.estimatedAccuracy.at(-1) ?? Number.NaN;
    assert.ok(Math.abs(newest - (running.board?.estimated?.accuracy ?? 1)) < 1e-6, `${newest}`);
  });

  it("keeps ten minutes, with fewer points of each where there are many", async () => {
    assert.deepEqual([1, 10, 20, 100, 5000].map(pointsKept), [600, 600, 300, 60, 60]);
    running.gateway.rateRps = 5;
    for (let second = 0; second < 620; second++) {
      // One of them at an odd second, and one at an even one.
      running.gateway.rateRps = second === 400 ? 30 : second === 501 ? 40 : 5;
      await running.clock.advance(1000);
    }
    const { history } = await json<LiveView>(`${PIPELINE}/live`);
    assert.equal(history.atMs.length, 600);
    assert.equal(history.atMs.at(-1), running.clock.nowMs());
    assert.equal(history.atMs[0], running.clock.nowMs() - 599_000);
    const peaks = ({ values }: LiveView["history"]) => values.loadRps.filter(load => (load ?? 0) > 5);
    assert.deepEqual([...new Set(peaks(history))], [30, 40]);
    // Others come one by one: it has room for half as many, of the same ten minutes.
    for (let i = 1; i < 20; i++) await running.scaler.pipelines.put(testPipeline({ name: `cards-${i}` }));
    const thinned = (await json<LiveView>(`${PIPELINE}/live`)).history;
    assert.equal(thinned.atMs.length, 300);
    assert.equal(thinned.atMs.at(-1), running.clock.nowMs());
    assert.equal(thinned.atMs[0], running.clock.nowMs() - 598_000);
    assert.equal(thinned.decisionId.at(-1), history.decisionId.at(-1));
    assert.deepEqual(thinned.stages[0]?.variant.at(-1), history.stages[0]?.variant.at(-1));
    assert.deepEqual([...new Set(peaks(thinned))], [30, 40]);
    await running.clock.advance(7000);
    const later = (await json<LiveView>(`${PIPELINE}/live`)).history;
    assert.equal(later.atMs.length, 300);
    // Ticks of many pipelines are spread over the second.
    const added = later.atMs.filter(at => at > (thinned.atMs.at(-1) ?? 0));
    const steps = added.map((at, i) => at - (added[i - 1] ?? thinned.atMs.at(-1) ?? 0));
    assert.ok(steps.length === 3 && steps.every(step => Math.abs(step - 2000) < 200), steps.join());
  });

  it("explains a decision, against all plans worth having and the heaviest variants", async () => {
    await running.planFor(400);
    const id = running.board?.decisionId ?? "";
    const explained = await json<ExplainedDecision>(`${PIPELINE}/decisions/${id}`);
    assert.equal(explained.decisionId, id);
    assert.deepEqual(explained.plan.stages, running.board?.plan?.stages);
    assert.ok(explained.analysis.explanation.atMore.length > 0);
    const { front, heaviest } = explained.analysis;
    assert.ok(front.length > 1 && front.every(({ cores }, i) => i === 0 || cores > (front[i - 1]?.cores ?? 0)));
    assert.deepEqual(heaviest.variants, ["heavy", "heavy"]);
    assert.ok(heaviest.feasible && heaviest.cores >= (front[0]?.cores ?? Infinity));
    const missing = await fetch(running.url(`${PIPELINE}/decisions/d-0-0`));
    assert.equal(missing.status, 404);
    assert.match(((await missing.json()) as { error: string }).error, /no decision `d-0-0`/);
  });
});

describe("live page of pipelines with hostile names", () => {
  it("has them in JSON alone", async () => {
    const pipeline = testPipeline();
    const key = { namespace: "shop", name: HOSTILE };
    const running = await RunningScaler.start({ pipelines: [{ ...pipeline, key }] });
    try {
      const html = await (await fetch(running.url("/"))).text();
      assert.ok(!html.includes("alert"));
      const response = await fetch(running.url(`/api/v1/pipelines/shop/${encodeURIComponent(HOSTILE)}/live`));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.equal(((await response.json()) as LiveView).key.name, HOSTILE);
    } finally {
      await running.close();
    }
  });
});

describe("LiveHistoryRing", () => {
  it("stands for several seconds with a point, and has the highest load of them", async () => {
    const pipelines = Array.from({ length: 20 }, (_, i) => testPipeline({ name: i === 0 ? "cards" : `cards-${i}` }));
    const running = await RunningScaler.start({ pipelines });
    try {
      await running.planFor(50);
      const seen: (readonly [number, number])[] = [];
      running.scaler.boards.subscribe(running.pipeline.key, ({ atMs, load }) => seen.push([atMs, load?.rateRps ?? 0]));
      for (let second = 0; second < 10; second++) {
        running.gateway.rateRps = 49 - second;
        await running.runUntil(board => board.load?.rateRps === running.gateway.rateRps);
      }
      const response = await fetch(running.url("/api/v1/pipelines/shop/cards/live"));
      const { history } = (await response.json()) as LiveView;
      const steps = history.atMs.slice(1).map((at, i) => at - (history.atMs[i] ?? 0));
      assert.ok(steps.length > 3 && steps.every(step => Math.abs(step - 2000) < 100), steps.join());
      for (const at of history.atMs.slice(-3)) {
        const rates = seen.filter(([atMs]) => atMs > at - 1900 && atMs <= at).map(([, rateRps]) => rateRps);
        assert.ok(rates.length === 2 && Math.max(...rates) !== rates[1], rates.join());
        assert.equal(history.values.loadRps[history.atMs.indexOf(at)], Math.max(...rates));
      }
    } finally {
      await running.close();
    }
  });
});
