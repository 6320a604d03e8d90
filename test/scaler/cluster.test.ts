import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { KubernetesApi, type KubernetesObject, refuse } from "../support/kubernetes-api.ts";
import { until } from "./support/manual-clock.ts";
import { RunningScaler } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
const AUTOSCALERS = "/apis/autoscaling/v2/horizontalpodautoscalers";
const DEPLOYMENTS = "/apis/apps/v1/deployments";
const PODS = "/api/v1/pods";
const EVENTS = "/apis/events.k8s.io/v1/events";
const EXACT = { scaleUp: { tolerance: "0" }, scaleDown: { tolerance: "0" } };

interface StagePage {
  readonly stage: string;
  readonly replicasNow: number;
  readonly replicasReady: number;
}

interface Page {
  readonly stages: readonly StagePage[];
  readonly reasons: readonly string[];
  readonly conditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[];
}

describe("a scaler in a cluster", () => {
  let api: KubernetesApi;
  let running: RunningScaler;
  let logged: string[];
  /** Of its state, where it has one. */
  let folder: string | null;

  beforeEach(async () => {
    folder = null;
    api = await KubernetesApi.start();
    for (const collection of [SCALED_OBJECTS, AUTOSCALERS, DEPLOYMENTS, EVENTS]) api.collections.add(collection);
    await start(0.1);
  });

  async function start(hpaTolerance: number, stateDir: string | null = null): Promise<void> {
    const kubernetes = { config: api.config(), hpaTolerance, instance: "scaler-0" };
    logged = [];
    const logger = pino({ level: "warn" }, { write: (line: string) => logged.push(line) });
    const pipelines = [testPipeline({ stages: ["detect"] })];
    running = await RunningScaler.start({ pipelines, kubernetes, stateDir, logger });
  }

  afterEach(async () => {
    await running.close();
    await api.close();
    // A scaler saves its state at its end.
    if (folder !== null) rmSync(folder, { recursive: true });
  });

  function put(options: {
    readonly max?: number;
    readonly current?: number;
    readonly ready?: number;
    readonly behavior?: unknown;
    /** Merged over the ScaledObject's spec. */
    readonly spec?: object;
    /** Of the Deployment. */
    readonly strategy?: object;
    readonly conditions?: readonly object[];
  }): void {
    const { max = 10, current = 3, behavior = EXACT, strategy, conditions, spec } = options;
    const metadata = { namespace: "shop", name: "detect", uid: "u-1" };
    const trigger = {
      type: "external-push",
      metadata: { scalerAddress: "s:6000", pipeline: "cards", stage: "detect" },
    };
    api.put(SCALED_OBJECTS, {
      metadata,
      spec: {
        scaleTargetRef: { name: "detect" },
        minReplicaCount: 1,
        maxReplicaCount: max,
        triggers: [trigger],
        ...spec,
      },
    });
    const status = { replicas: current, readyReplicas: options.ready ?? current, conditions };
    api.put(DEPLOYMENTS, { metadata, spec: { strategy, selector: { matchLabels: { app: "detect" } } }, status });
    api.put(AUTOSCALERS, {
      metadata: { namespace: "shop", name: "keda-hpa-detect" },
      spec: { minReplicas: 1, maxReplicas: max, behavior },
      status: { currentReplicas: current },
    });
  }

  async function page(): Promise<Page> {
    const shown = (await (await fetch(running.url("/api/v1/pipelines/shop/cards"))).json()) as {
      readonly board: Page;
      readonly processConditions: Page["conditions"];
    };
    return { ...shown.board, conditions: [...shown.board.conditions, ...shown.processConditions] };
  }

  /** Ticks until it holds. */
  async function ticked(holds: (page: Page) => boolean): Promise<Page> {
    for (let i = 0; i < 1000; i++) {
      await running.clock.advance(1000);
      const now = await page();
      if (holds(now)) return now;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.fail(JSON.stringify(await page()));
  }

  const condition = (of: Page, type: string) => of.conditions.find(one => one.type === type);
  const event = (reason: string): KubernetesObject | undefined =>
    api.all(EVENTS).find(object => object["reason"] === reason);

  it("says which stages no ScaledObject scales, until there is one", async () => {
    const before = await ticked(now => condition(now, "ScaledObjectsFound")?.status === false);
    assert.match(condition(before, "ScaledObjectsFound")?.message ?? "", /for detect of cards/);
    put({});
    const after = await ticked(now => condition(now, "ScaledObjectsFound")?.status === true);
    assert.equal(condition(after, "KubernetesWatched")?.status, true);
  });

  it("takes replicas from the Deployment where no switcher ever connected", async () => {
    put({ current: 5, ready: 4 });
    const seen = await ticked(now => now.stages[0]?.replicasReady === 4);
    assert.equal(condition(seen, "ActuationExact")?.status, true);
  });

  it("keeps within the live bounds, and tells the ScaledObject when they shut the plan out", async () => {
    put({ max: 2 });
    await running.planFor(4000);
    await ticked(now => now.stages[0]?.replicasNow === 2);
    await until(() => event("VariscaleBounds") !== undefined, "the Event");
    assert.match(String(event("VariscaleBounds")?.["note"]), /maxReplicaCount 2 keeps stage detect.*allows 10/);
    put({ max: 9 });
    await ticked(now => (now.stages[0]?.replicasNow ?? 0) > 2);
  });

  it("tells of other triggers, a fallback to nothing, and pods that can't be made, and of nothing else", async () => {
    put({});
    await ticked(now => condition(now, "ScaledObjectsFound")?.status === true);
    await running.clock.advance(61_000);
    assert.deepEqual(api.all(EVENTS), []);
    const ours = { type: "external-push", metadata: { scalerAddress: "s:6000", pipeline: "cards", stage: "detect" } };
    put({
      spec: { triggers: [ours, { type: "cpu", metadata: { value: "50" } }], fallback: { replicas: 0 } },
      strategy: { type: "Recreate" },
      conditions: [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota: q" }],
    });
    await ticked(() => api.all(EVENTS).length >= 4);
    const notes = api.all(EVENTS).map(object => `${object["reason"]}: ${object["note"]}`);
    for (const pattern of [
      /^VariscaleTriggers: the ScaledObject has 2 triggers/,
      /^VariscaleFallback: fallback\.replicas is 0/,
      /^VariscaleRollout: detect has the strategy Recreate/,
      /^VariscaleRollout: pods of detect are not made: FailedCreate: exceeded quota: q/,
    ])
      assert.ok(
        notes.some(note => pattern.test(note)),
        notes.join("\n"),
      );
    assert.equal(notes.length, 4);
  });

  it("says why replicas do not come, in the condition and in an Event, as long as they do not, and lists pods only then", async () => {
    api.collections.add(PODS);
    const pod = (name: string, app: string, message: string) =>
      api.put(PODS, {
        metadata: { namespace: "shop", name, labels: { app } },
        status: { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] },
      });
    pod("other", "read", "of another stage");
    pod("d-2", "detect", "0/3 nodes are available: 3 Insufficient cpu.");
    const listed = () => api.seen.filter(({ path }) => path.endsWith("/pods")).length;
    const said = (of: Page) => condition(of, "ActuationStuck")?.message ?? "";
    const soon = (holds: (page: Page) => boolean) =>
      ticked(now => {
        api.bookmark();
        return holds(now);
      });
    put({ current: 2, ready: 1 });
    await running.planFor(4000);
    const waiting = await soon(now => (now.stages[0]?.replicasNow ?? 0) > 1);
    assert.deepEqual([condition(waiting, "ActuationStuck")?.status, listed()], [false, 0]);
    // An older Role: tried once a minute, and said once.
    api.intercept = ({ path }, response) => path.endsWith("/pods") && refuse(response, 403, "Forbidden", "no");
    const refused = await soon(() => listed() === 2);
    assert.match(said(refused), /look for Pending or crashing pods$/);
    const complaints = logged.filter(line => line.includes("why pods do not become ready can't be said"));
    assert.equal(complaints.length, 1);
    assert.match(JSON.parse(complaints[0] ?? "").msg, /resources: \["pods"\], verbs: \["list"\]/);
    api.intercept = () => false;
    const stuck = await soon(
      now => condition(now, "ActuationStuck")?.status === true && /Unschedulable/.test(said(now)),
    );
    assert.match(
      said(stuck),
      /^replicas of detect do not .*; detect: 1 of 1 pods not ready: Unschedulable: 0\/3 nodes .* \(d-2\)$/,
    );
    await soon(() => event("VariscaleStuck") !== undefined);
    assert.match(String(event("VariscaleStuck")?.["note"]), /^pods of stage detect .*3 Insufficient cpu/);
    // KEDA is told a lower count, and the pod goes.
    api.remove(PODS, "shop", "d-2");
    const before = listed();
    await soon(() => listed() > before);
    assert.match(said(await soon(() => true)), /Unschedulable/);
    put({ current: 10, ready: 10 });
    await soon(now => condition(now, "ActuationStuck")?.status === false);
    const after = listed();
    await running.clock.advance(61_000);
    await soon(() => true);
    assert.equal(listed(), after);
  });

  it("T1: plans around a tolerance, and says so in the condition, the metrics and an Event", async () => {
    put({ current: 10, max: 20, behavior: { scaleUp: {}, scaleDown: { tolerance: "0" } } });
    const seen = await ticked(now => condition(now, "ActuationExact")?.status === false);
    assert.match(condition(seen, "ActuationExact")?.message ?? "", /tolerance/);
    await until(() => event("VariscaleTolerance") !== undefined, "the Event");
    const metrics = await (await fetch(running.url("/metrics"))).text();
    assert.match(metrics, /variscale_hpa_tolerance_ratio\{[^}]*stage="detect",direction="up"\} 0\.1/);
    assert.match(metrics, /variscale_hpa_tolerance_ratio\{[^}]*direction="down"\} 0\n/);
    assert.match(metrics, /variscale_condition\{[^}]*type="ActuationExact"\} 0/);
    put({ current: 10, max: 20 });
    await ticked(now => condition(now, "ActuationExact")?.status === true);
  });

  it("tells the ScaledObject that the stored state of its pipeline could not be gone on from", async () => {
    await running.close();
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    mkdirSync(join(folder, "pipelines"));
    writeFileSync(join(folder, "pipelines", "shop_cards.json"), "{ not what it was");
    await start(0, folder);
    put({});
    await ticked(() => event("VariscaleStateUnusable") !== undefined);
    const told = event("VariscaleStateUnusable");
    assert.match(String(told?.["note"]), /^pipeline cards: .* was kept as .*shop_cards\.json\.corrupt.*begins anew/);
    assert.equal((told?.["regarding"] as { name: string } | undefined)?.name, "detect");
    const writes = () => api.seen.filter(({ method }) => method === "POST" || method === "PATCH").length;
    const before = writes();
    const untilMs = running.clock.nowMs() + 7 * 60_000;
    await ticked(() => {
      api.bookmark();
      return running.clock.nowMs() >= untilMs;
    });
    assert.equal(writes(), before, "told once");
    await running.close();
    api.remove(EVENTS, "shop", told?.metadata.name ?? "");
    await start(0, folder);
    await ticked(now => condition(now, "ScaledObjectsFound")?.status === true);
    await running.clock.advance(61_000);
    assert.deepEqual(api.all(EVENTS), []);
  });

  it("says nothing of tolerances where the cluster's own is 0", async () => {
    await running.close();
    await start(0);
    put({ current: 10, max: 20, behavior: { scaleUp: {}, scaleDown: {} } });
    // The condition is there once the HPA was seen, which may be later than its ScaledObject.
    const seen = await ticked(now => condition(now, "ActuationExact") !== undefined);
    assert.equal(condition(seen, "ActuationExact")?.status, true);
    await running.clock.advance(61_000);
    await ticked(() => true);
    assert.equal(event("VariscaleTolerance"), undefined);
  });

  it("tries no Event in a namespace without a pipeline", async () => {
    put({});
    const ref = { name: "x", namespace: "bank", scalerMetadata: { pipeline: "cards", stage: "detect" } };
    await assert.rejects(running.keda.spec(ref));
    await assert.rejects(
      running.keda.spec({ ...ref, name: "y", namespace: "shop", scalerMetadata: { pipeline: "x", stage: "y" } }),
    );
    await until(() => event("VariscaleUnknownPipeline") !== undefined, "the Event");
    assert.ok(!api.seen.some(({ path }) => path.includes("/namespaces/bank/")));
  });

  it("writes an Event on a ScaledObject that names an unknown stage, and counts it up", async () => {
    put({});
    const ref = { name: "detect", namespace: "shop", scalerMetadata: { pipeline: "cards", stage: "blur" } };
    await assert.rejects(running.keda.spec(ref));
    await until(() => event("VariscaleUnknownStage") !== undefined, "the Event");
    const written = event("VariscaleUnknownStage");
    assert.match(String(written?.["note"]), /no stage `blur`; it has: detect/);
    assert.deepEqual(written?.["regarding"], {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      namespace: "shop",
      name: "detect",
      uid: "u-1",
    });
    await running.clock.advance(11 * 60_000);
    await assert.rejects(running.keda.spec(ref));
    await until(() => (event("VariscaleUnknownStage")?.["series"] as { count?: number })?.count === 2, "the count");
    assert.equal(api.all(EVENTS).filter(object => object["reason"] === "VariscaleUnknownStage").length, 1);
  });

  it("answers KEDA as before when it may write no Events, and says so", async () => {
    put({});
    api.intercept = (request, response) =>
      request.method === "POST" && refuse(response, 403, "Forbidden", "cannot create events");
    const ref = { name: "detect", namespace: "shop", scalerMetadata: { pipeline: "cards", stage: "blur" } };
    await assert.rejects(running.keda.spec(ref), /no stage `blur`/);
    const seen = await ticked(now => condition(now, "EventsWritten")?.status === false);
    assert.match(condition(seen, "EventsWritten")?.message ?? "", /resources: \["events"\], verbs: \["create"\]/);
  });

  it("keeps the last bounds while the API server is away, and says so", async () => {
    put({ max: 2, current: 2 });
    await running.planFor(4000);
    await ticked(now => now.stages[0]?.replicasNow === 2);
    const { port } = api;
    await api.close();
    const stale = await ticked(now => condition(now, "KubernetesWatched")?.status === false);
    assert.match(condition(stale, "KubernetesWatched")?.message ?? "", /last known bounds stay/);
    for (let i = 0; i < 20; i++) {
      await running.clock.advance(1000);
      assert.equal((await page()).stages[0]?.replicasNow, 2);
    }
    api = await KubernetesApi.start(port);
    for (const collection of [SCALED_OBJECTS, AUTOSCALERS, DEPLOYMENTS]) api.collections.add(collection);
    put({ max: 6, current: 4 });
    await ticked(now => condition(now, "KubernetesWatched")?.status === true && (now.stages[0]?.replicasNow ?? 0) > 2);
  });

  it("says so when the API server is silent for long", async () => {
    put({});
    await ticked(now => condition(now, "KubernetesWatched")?.status === true);
    running.clock.set(running.clock.nowMs() + 200_000);
    const seen = await ticked(() => true);
    assert.match(condition(seen, "KubernetesWatched")?.message ?? "", /last heard 20\d s ago/);
    api.bookmark();
    await ticked(now => condition(now, "KubernetesWatched")?.status === true);
  });
});
