import assert from "node:assert/strict";
import { Client, credentials, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { describe, it } from "mocha";
import { parsePrometheusUrl } from "../../scaler/prometheus-options.ts";
import { FakePrometheus } from "./support/fake-prometheus.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { RunningScaler } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

interface Page {
  readonly processConditions: readonly { readonly type: string; readonly message: string }[];
}

function healthOf(port: number, service: string): Promise<string> {
  const { Check } = healthService as unknown as {
    Check: {
      path: string;
      requestSerialize: (value: object) => Buffer;
      responseDeserialize: (bytes: Buffer) => { status: string };
    };
  };
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      Check.path,
      Check.requestSerialize,
      Check.responseDeserialize,
      { service },
      (error, value) => {
        client.close();
        if (error) reject(error);
        else resolve(value?.status ?? "none");
      },
    );
  });
}

describe("startScaler()", () => {
  it("tells grpc.health.v1 that it serves, for the server and for its service", async () => {
    const running = await RunningScaler.start();
    try {
      const { keda, switchers } = running.scaler.ports;
      assert.equal(await healthOf(keda, ""), "SERVING");
      assert.equal(await healthOf(keda, "externalscaler.ExternalScaler"), "SERVING");
      assert.equal(await healthOf(switchers, "variscale.switcher.v1.SwitcherControl"), "SERVING");
      await assert.rejects(healthOf(keda, "other"), { code: status.NOT_FOUND });
    } finally {
      await running.close();
    }
  });

  it("says which port is taken, and leaves nothing running", async () => {
    const running = await RunningScaler.start();
    try {
      for (const name of ["keda", "switchers", "http"] as const) {
        const ports = { keda: 0, switchers: 0, http: 0, [name]: running.scaler.ports[name] };
        const timers = running.clock.timers;
        await assert.rejects(RunningScaler.start({ ports }, running.clock), {
          code: "failed_precondition",
          message: new RegExp(`cannot listen on 127\\.0\\.0\\.1:${running.scaler.ports[name]}`),
        });
        assert.equal(running.clock.timers, timers);
      }
    } finally {
      await running.close();
    }
  });

  it("refuses two pipelines of one name, and a load source that is no URL", async () => {
    await assert.rejects(RunningScaler.start({ pipelines: [testPipeline(), testPipeline()] }), {
      code: "invalid_argument",
      message: /two pipelines are named shop\/cards/,
    });
    await assert.rejects(RunningScaler.start({ loadSources: { gateway: { kind: "gateway", url: "nowhere" } } }), {
      code: "invalid_argument",
    });
  });

  it("refuses a pipeline that asks its gateway what only a Prometheus can answer", async () => {
    for (const [loadQuery, field] of [
      [{ kind: "counter", selector: "x" }, "counter"],
      [{ kind: "rate", expression: "x" }, "query"],
    ] as const)
      await assert.rejects(RunningScaler.start({ pipelines: [{ ...testPipeline(), loadQuery }] }), {
        code: "invalid_argument",
        message: new RegExp(
          `pipeline shop/cards: \`spec.load.${field}\` is for a Prometheus, and its source \`gateway\``,
        ),
      });
  });

  it("plans from a Prometheus, and says of it what it says of a gateway", async () => {
    const clock = new ManualClock();
    const prometheus = await FakePrometheus.start(clock);
    const span = { fromMs: clock.nowMs() - 600_000, toMs: clock.nowMs() + 600_000, intervalMs: 5000 };
    prometheus.scrape({}, span, atMs => (atMs - span.fromMs) / 20);
    prometheus.warnings = ["a store is away"];
    const source = parsePrometheusUrl(`prometheus+http://127.0.0.1:${prometheus.port}`, null);
    const running = await RunningScaler.start({ loadSources: { gateway: source } }, clock);
    try {
      await running.runUntil(board => board.plan !== null && board.forecast !== null);
      const rateRps = running.board?.plan?.rateRps ?? 0;
      assert.ok(rateRps > 35 && rateRps < 100, String(rateRps));
      const metrics = await (await fetch(running.url("/metrics"))).text();
      assert.match(metrics, /variscale_load_age_seconds\{namespace="shop",pipeline="cards"\} \d/);
      assert.match(metrics, /variscale_condition\{[^}]*"LoadSourceAnswering"\} 1/);
      assert.match(metrics, /variscale_condition\{[^}]*"LoadSourceWithoutWarnings"\} 0/);
      assert.match(metrics, /variscale_load_poll_seconds_count [1-9]/);
      await prometheus.close();
      await running.clock.advance(10_000);
      const problem = async () =>
        ((await (await fetch(running.url("/api/v1/pipelines/shop/cards"))).json()) as Page).processConditions.find(
          ({ type }) => type === "LoadSourceAnswering",
        )?.message ?? "";
      while (!/ECONNREFUSED|ECONNRESET/.test(await problem())) await running.clock.advance(1000);
      assert.ok(running.board?.plan, "the plan stays");
    } finally {
      await running.close();
      await prometheus.close().catch(() => undefined);
    }
  });

  it("keeps pipelines of the same name in two namespaces apart", async () => {
    const pipelines = [testPipeline(), testPipeline({ namespace: "bank", stages: ["check"] })];
    const running = await RunningScaler.start({ pipelines });
    try {
      const bank = { name: "x", namespace: "bank", scalerMetadata: { pipeline: "cards", stage: "check" } };
      assert.equal((await running.keda.spec(bank)).metricSpecs[0]?.metricName, "variscale-cards-check");
      await assert.rejects(running.keda.spec({ ...bank, namespace: "shop" }), { code: status.INVALID_ARGUMENT });
    } finally {
      await running.close();
    }
  });

  it("stops once, whoever asks how often, and answers no more", async () => {
    const running = await RunningScaler.start();
    await Promise.all([running.scaler.close(), running.scaler.close()]);
    assert.equal(running.clock.timers, 0);
    await assert.rejects(fetch(running.url("/readyz")));
    await running.close();
  });
});
