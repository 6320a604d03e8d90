import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, it } from "mocha";
import { chooseStates, type SortOrder } from "../../cli/top/choose-states.ts";
import { formatStates } from "../../cli/top/format-states.ts";
import type { PipelineState } from "../../cli/top/pipeline-state.ts";
import { openScreen } from "../../cli/top/screen.ts";
import { watchStates } from "../../cli/top/watch-states.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { number } from "../../explanation/number-text.ts";
import { until } from "../scaler/support/manual-clock.ts";
import { NamedProxy } from "../scaler/support/named-proxy.ts";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { testPipeline, testPipelineText } from "../scaler/support/test-pipeline.ts";
import { runVariscale } from "./support/run-variscale.ts";

function stateOf(pipeline: string, more: Partial<PipelineState> = {}): PipelineState {
  return {
    pipeline,
    atMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    mode: "active",
    policy: "default",
    loadRps: 50,
    forecast: { horizonMs: 20_000, p50Rps: 51, p90Rps: 55, p95Rps: 57.25, p99Rps: 60 },
    planRps: 57,
    feasible: true,
    accuracy: 0.931,
    servedAccuracy: null,
    effectiveAccuracy: 0.92,
    estimatedAccuracy: null,
    cores: 6,
    costPerHour: null,
    slo: { latencyMs: 500, quantile: 0.95 },
    predictedLatencyMs: 300,
    lastMinute: { ended: 3000, p50Ms: 100, p99Ms: 250, inTime: 1 },
    decisionId: "d-1-7",
    reasons: ["optimal"],
    stages: [
      {
        stage: "read",
        parts: [{ variant: "heavy", batch: 4, replicas: 3, share: 1 }],
        serving: [{ variant: "heavy", replicas: 2 }],
        rowShares: [{ variant: "heavy", share: 1 }],
        shadowShares: [],
        ladder: null,
        differing: 0,
        replicasReady: 2,
        replicasNow: 3,
        replicasGoal: 3,
        queuedRows: 7,
        fanOut: { measured: 1, seen: 2.54, planned: 2.5 },
      },
    ],
    pins: [],
    problems: [],
    ...more,
  };
}

describe("variscale top", function () {
  this.timeout(120_000);
  let running: RunningScaler;
  beforeEach(async () => {
    running = await RunningScaler.start({ pipelines: [testPipeline(), testPipeline({ namespace: "b", name: "a" })] });
  });
  afterEach(() => running.close());

  const top = async (...args: string[]) => runVariscale(["top", "--url", running.url(""), ...args]);

  it("prints once what each pipeline is doing, where the output is no terminal", async () => {
    await running.planFor(50);
    const replicas = running.board?.plan?.stages[0]?.parts[0]?.replicas ?? 0;
    const switchers = Array.from({ length: replicas }, (_, i) => running.switcher({ pod: `detect-${i}` }));
    // Every request makes two rows.
    let seconds = 0;
    const serve = (): void => {
      seconds += 1;
      for (const switcher of switchers)
        switcher.report({ variant: "heavy", queuedRows: 3, servedRows: Math.round((2 * 50 * seconds) / replicas) });
    };
    await running.runUntil(({ fanOuts }) => (fanOuts["detect"]?.planned ?? 1) > 1, serve);
    const { status, stdout, stderr } = await top();
    assert.deepEqual([status, stderr], [0, ""]);
    const [header, , first, second] = stdout.split("\n");
    assert.match(
      header ?? "",
      /^pipeline +mode +load rps +forecast +accuracy +planned +p99 ms +SLO ms +cores +stage +variant/,
    );
    const plan = running.board?.plan;
    const part = plan?.stages[0]?.parts[0];
    const { planned = 0, seen = 0 } = running.board?.fanOuts["detect"] ?? {};
    assert.ok(planned > 1 && seen !== null && seen >= planned, `${planned}, ${seen}`);
    const rows = `${number(planned)}( \\(${number(seen)} seen\\))?`;
    assert.match(first ?? "", /^b\/a /);
    assert.match(second ?? "", /^ +read /);
    assert.match(
      stdout,
      new RegExp(
        `\\nshop/cards +active +50 .* 500 +${plan?.cores} +detect +${part?.variant} +${part?.batch} +${part?.replicas} +heavy × ${replicas} +${replicas}/\\d+ +${3 * replicas} +${rows}\\n`,
      ),
    );
    const json = JSON.parse((await top("shop/cards", "--output", "json")).stdout);
    assert.equal(json.pipelines.length, 1);
    const [state] = json.pipelines;
    assert.deepEqual(
      [state.pipeline, state.loadRps, state.accuracy, state.decisionId, state.stages[0].parts, state.stages[0].serving],
      [
        "shop/cards",
        50,
        plan?.accuracy,
        running.board?.decisionId,
        plan?.stages[0]?.parts,
        [{ variant: "heavy", replicas }],
      ],
    );
    assert.equal(state.forecast.p95Rps, running.board?.forecast?.peakRps[2]);
  });

  it("reads a scaler of this machine under another name with the token, and says in the scaler's words that it needs it", async () => {
    const token = "a-token-of-the-scaler";
    const closed = await RunningScaler.start({ token });
    const proxy = await NamedProxy.start(closed);
    try {
      await closed.planFor(20);
      const run = (command: string, shown: string) =>
        runVariscale([command, "shop/cards", "--url", proxy.url], { env: { VARISCALE_TOKEN: shown } });
      for (const command of ["top", "explain"]) {
        const read = await run(command, token);
        assert.deepEqual([read.status, read.stderr], [0, ""], command);
        for (const shown of ["", "another-token"]) {
          const refused = await run(command, shown);
          assert.equal(refused.status, 1);
          assert.match(
            refused.stderr,
            /the Host header must be localhost, an address or a name of --allowed-host, .*VARISCALE_TOKEN/,
          );
          assert.doesNotMatch(refused.stderr, /--token-file|takes changes/);
        }
      }
    } finally {
      await proxy.close();
      await closed.close();
    }
  });

  it("invents no accuracy of variants that have none", async () => {
    const text = testPipelineText().replace(/"accuracy":[\d.]+,/g, "");
    const parsed = parsePipelineFile(text, () => null);
    assert.ok(parsed.ok);
    const bare = await RunningScaler.start({ pipelines: [parsed.pipeline] });
    try {
      for (const stage of ["detect", "read"]) bare.switcher({ stage, pod: `${stage}-0` });
      bare.gateway.rateRps = 50;
      await bare.runUntil(({ plan, stages }) => plan !== null && stages.every(stage => stage.replicasReady > 0));
      const url = ["--url", bare.url("")];
      assert.match((await runVariscale(["top", ...url])).stdout, /\nshop\/cards .* not measured +not measured /);
      const [state] = JSON.parse((await runVariscale(["top", ...url, "--output", "json"])).stdout).pipelines;
      assert.deepEqual([state.accuracy, state.servedAccuracy, state.effectiveAccuracy], [null, null, null]);
      const explained = await runVariscale(["explain", ...url]);
      assert.match(explained.stdout, /accuracy not measured, in time \d/);
      assert.doesNotMatch(explained.stdout, /accuracy of what is served|accuracy ±/);
      const metrics = await (await fetch(bare.url("/metrics"))).text();
      assert.match(metrics, /variscale_plan_cores\{/);
      assert.doesNotMatch(metrics, /variscale_(?:plan|served|plan_effective)_accuracy_ratio\{/);
    } finally {
      await bare.close();
    }
  });

  it("shows what a namespace has, and what is wrong", async () => {
    const { stdout } = await top("--namespace", "b", "--problems");
    assert.match(stdout, /b\/a: Ready: there is no plan yet/);
    assert.doesNotMatch(stdout, /shop/);
    assert.match((await top("--namespace", "c")).stdout, /^no pipeline to show\n$/);
  });

  it("names a pipeline that is not there, a scaler that is not, and what can't be sorted by", async () => {
    const unknown = await top("shop/card");
    assert.deepEqual([unknown.status, unknown.stdout], [1, ""]);
    assert.match(unknown.stderr, /unknown pipeline `card`/);
    const gone = await runVariscale(["top", "--url", "http://127.0.0.1:1"]);
    assert.match(gone.stderr, /does not answer: .*Is --url the scaler's HTTP port\?/);
    assert.match(
      (await top("--sort", "colour")).stderr,
      /Allowed choices are pipeline, load, cores, accuracy, latency/,
    );
    assert.match((await top("--every", "0s")).stderr, /must be a time from 1s to 1h/);
  });
});

describe("states of pipelines", () => {
  const late = stateOf("a/late", {
    lastMinute: { ended: 1, p50Ms: 1, p99Ms: 90, inTime: 1 },
    slo: { latencyMs: 100, quantile: 0.9 },
  });
  const loaded = stateOf("b/loaded", { loadRps: 900, accuracy: 0.5 });
  const big = stateOf("c/big", { cores: 64, problems: ["PlanFeasible: too much"] });
  const unknown = stateOf("d/unknown", {
    loadRps: null,
    cores: null,
    feasible: null,
    accuracy: null,
    lastMinute: null,
  });

  for (const [order, first] of [
    ["pipeline", "a/late"],
    ["load", "b/loaded"],
    ["cores", "c/big"],
    ["accuracy", "b/loaded"],
    ["latency", "a/late"],
  ] as const satisfies readonly (readonly [SortOrder, string])[]) {
    it(`are sorted by ${order}, what is not known last`, () => {
      const names = chooseStates([unknown, big, loaded, late], { order, problemsOnly: false }).map(s => s.pipeline);
      assert.equal(names[0], first);
      assert.equal(names.at(-1), "d/unknown");
    });
  }

  it("are left out where nothing is wrong, when asked to", () => {
    assert.deepEqual(chooseStates([late, big], { order: "load", problemsOnly: true }), [big]);
  });

  it("are a table, with a dash for what is not known", () => {
    const text = formatStates([loaded, unknown], null);
    assert.match(
      text,
      /\nb\/loaded +active +900 +57.25 +– +50.0 % +250 +500 +6 +read +heavy +4 +3 +heavy × 2 +2\/3 +7 +2\.5\n/,
    );
    assert.match(text, /\nd\/unknown +active +– +57.25 +– +– +– +500 +– +read/);
    assert.match(
      formatStates([{ ...loaded, stages: [{ ...loaded.stages[0]!, parts: [] }] }], null),
      /read +– +– +– +heavy × 2 +2\/3/,
    );
  });

  it("show which share of the rows lighter variants served", () => {
    const rowShares = ["heavy", "light", "middle"].map((variant, i) => ({ variant, share: [0.7, 0.2, 0.1][i] ?? 0 }));
    const stages = [{ ...loaded.stages[0]!, rowShares }];
    assert.match(formatStates([{ ...loaded, stages }], null), /heavy × 2, light 20 %, middle 10 % +2\/3/);
  });

  it("show the rungs of a stage with their largest batches and shares, and in shadow what they would be", () => {
    const rungs = ["exact", "heavy", "light"].map((variant, i) => ({ variant, maxBatch: [1, 4, 16][i] ?? 0 }));
    const ladder = { top: "heavy", floor: "light", rungs, shadow: false };
    const [rowShares, shadowShares] = [
      [{ variant: "heavy", share: 1 }],
      [
        { variant: "heavy", share: 0.7 },
        { variant: "light", share: 0.3 },
      ],
    ];
    const show = (more: Partial<PipelineState["stages"][number]>): string =>
      formatStates([{ ...loaded, stages: [{ ...loaded.stages[0]!, rowShares, shadowShares, ...more }] }], null);
    assert.match(
      show({ ladder }),
      /\n\nb\/loaded: rungs of read: exact \(above the top\) 1 row a batch; heavy \(top\) 4 rows a batch, 100 %; light \(floor\) 16 rows a batch(\n|$)/,
    );
    assert.match(
      show({ ladder: { ...ladder, shadow: true } }),
      /rungs of read: in shadow, would serve: exact .*; heavy \(top\) 4 rows a batch, 70 %; light \(floor\) 16 rows a batch, 30 %/,
    );
    for (const none of [null, { ...ladder, top: "light", rungs: rungs.slice(2) }])
      assert.doesNotMatch(show({ ladder: none }), /rungs of/);
  });

  it("show no accuracy of a plan, or of what serves, where none was measured", () => {
    const unmeasured = stateOf("a/b", { accuracy: null });
    assert.match(formatStates([unmeasured], null), /\na\/b +active +50 +57.25 +not measured +not measured +250/);
    const [stage] = unmeasured.stages;
    const alone = { ...unmeasured, stages: [{ ...stage!, serving: [] }] };
    assert.match(formatStates([alone], null), /\na\/b +active +50 +57.25 +– +not measured +250/);
  });

  it("are two tables where one is wider than the terminal, so that nothing is cut at 80 columns", () => {
    const wide = formatStates([loaded, late], null);
    const width = Math.max(...wide.split("\n").map(line => line.length));
    assert.ok(width > 80);
    assert.equal(formatStates([loaded, late], width), wide);
    const text = formatStates([loaded, late], width - 1);
    assert.ok(text.split("\n").every(line => line.length <= 80));
    assert.match(text, /\nb\/loaded +active +900 +57.25 +– +50.0 % +250 +500 +6\n/);
    assert.match(text, /\n\npipeline +stage +variant +batch +replicas +serves +ready +queue +rows\n/);
    assert.match(text, /\nb\/loaded +read +heavy +4 +3 +heavy × 2 +2\/3 +7 +2\.5\na\/late +read/);
  });

  it("have their problems and pins below, without control characters", () => {
    const pin = { stage: "read", variant: null, batch: 2, replicas: 3, reason: "", by: "a\u001b[2Jnn", expiresAtMs: 0 };
    const text = formatStates([stateOf("a/b", { pins: [pin], problems: ["Ready: \u001b]0;title\u0007no"] })], null);
    assert.match(text, /\na\/b: Ready: {2}\]0;title no\n/);
    assert.match(text, /a\/b: stage read is pinned to batch 2, 3 replicas until 1970-01-01T00:00:00Z by a \[2Jnn$/);
    assert.ok(!text.includes("\u001b"));
  });
});

describe("screen of variscale top", () => {
  it("cuts off what is wider or higher than the terminal, and leaves it as it was", () => {
    let written = "";
    const screen = openScreen({ columns: 5, rows: 2, write: text => (written += text) });
    assert.equal(written, "\u001b[?1049h\u001b[?25l");
    written = "";
    screen.show(columns => `123456${columns}\n–––––––\nthird`);
    assert.equal(written, "\u001b[H12345\u001b[K\r\n–––––\u001b[K\u001b[J");
    written = "";
    screen.close();
    assert.equal(written, "\u001b[?25h\u001b[?1049l");
  });

  it("cuts nothing off where the terminal does not know its width", () => {
    let written = "";
    const screen = openScreen({ columns: 0, rows: 2, write: text => (written += text) });
    screen.show(columns => `${columns} ${"–".repeat(200)}`);
    assert.ok(written.endsWith(`\u001b[Hnull ${"–".repeat(200)}\u001b[K\u001b[J`));
  });

  const watch = (fetch: () => Promise<readonly PipelineState[]>) => {
    const seen = { text: "", press: (_key: string): void => undefined, stopped: false };
    const terminal = Object.assign(new PassThrough(), { columns: 200, rows: 50 });
    terminal.on("data", (chunk: Buffer) => {
      seen.text += chunk;
    });
    const ended = watchStates({
      terminal,
      fetch,
      everyMs: 5,
      order: "pipeline",
      problemsOnly: false,
      keys: onKey => {
        seen.press = onKey;
        return () => {
          seen.stopped = true;
        };
      },
    });
    return { seen, ended };
  };

  it("goes on, and says so, while the scaler does not answer; s sorts, q ends", async () => {
    let looks = 0;
    const fetch = async () => {
      looks += 1;
      if (looks === 3) throw new VariscaleError("unavailable", "it does not answer");
      return [stateOf("a/b"), stateOf("b/c", { loadRps: looks })];
    };
    const { seen, ended } = watch(fetch);
    await until(() => looks > 4, "some looks");
    assert.match(seen.text, /variscale {2}03:04:05Z {2}sorted by pipeline/);
    assert.ok(seen.text.includes("it does not answer\u001b[K\r\n\u001b[K\r\npipeline"));
    seen.press("s");
    await until(() => seen.text.includes("sorted by load"), "the order");
    seen.press("q");
    await ended;
    assert.ok(seen.text.endsWith("\u001b[?25h\u001b[?1049l"));
    assert.equal(seen.stopped, true);
  });

  it("ends at once also while an answer is still to come", async () => {
    let looks = 0;
    const { seen, ended } = watch(() => {
      looks += 1;
      return looks === 1 ? Promise.resolve([stateOf("a/b")]) : new Promise(() => undefined);
    });
    await until(() => looks === 2, "a look that hangs");
    seen.press("\u0003");
    await ended;
    assert.ok(seen.text.endsWith("\u001b[?25h\u001b[?1049l"));
  });

  it("ends with the error, the terminal as it was, where the scaler never answered", async () => {
    const { seen, ended } = watch(() => Promise.reject(new VariscaleError("unavailable", "nobody there")));
    await assert.rejects(ended, /nobody there/);
    assert.ok(seen.text.endsWith("\u001b[?25h\u001b[?1049l"));
  });
});
