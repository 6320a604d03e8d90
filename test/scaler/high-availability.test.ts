import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { TlsFolder } from "../../runtime/tls-folder.ts";
import type { ScalerOptions } from "../../scaler/main.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { TestAuthority } from "../support/certificates.ts";
import { KubernetesApi, type KubernetesObject, refuse } from "../support/kubernetes-api.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { ManualClock, until } from "./support/manual-clock.ts";
import { RunningScaler, refOf } from "./support/running-scaler.ts";
import { testPipeline, testPipelineText } from "./support/test-pipeline.ts";

const LEASES = "/apis/coordination.k8s.io/v1/leases";
const CONFIG_MAPS = "/api/v1/configmaps";
const PIPELINE = "/api/v1/pipelines/shop/cards";
const TIMES = { durationMs: 10_000, renewWithinMs: 6000, retryMs: 1500 };

const KEPT_MS = 40_000;

/** A scaler whose time is its own: one whose clock stands still is one that was stopped. */
interface Member {
  readonly name: string;
  readonly running: RunningScaler;
}

describe("several scalers", () => {
  let api: KubernetesApi;
  let members: Member[];
  beforeEach(async () => {
    api = await KubernetesApi.start();
    for (const collection of [LEASES, CONFIG_MAPS]) api.collections.add(collection);
    members = [];
  });
  afterEach(async () => {
    for (const { running } of members) await running.close();
    await api.close();
  });

  async function start(name: string, options: Partial<ScalerOptions> = {}): Promise<RunningScaler> {
    const clock = new ManualClock((members[0]?.running.clock ?? new ManualClock()).nowMs());
    const time = { monotonicMs: () => clock.nowMs(), wallMs: () => clock.nowMs() };
    const highAvailability = {
      ...{ config: api.config(), namespace: "scalers", lease: "test", identity: name, times: TIMES, time },
      ...{ advertiseHost: "127.0.0.1", keptMs: KEPT_MS },
    };
    const running = await RunningScaler.start({ highAvailability, ...options }, clock);
    members.push({ name, running });
    return running;
  }

  /** Seconds pass at all of these at once, until it holds. */
  async function passUntil(
    running: readonly RunningScaler[],
    holds: () => boolean | Promise<boolean>,
    what: string,
    most = 120,
  ): Promise<number> {
    for (let second = 0; second < most; second++) {
      if (await holds()) return second;
      for (const one of running) await one.clock.advance(1000);
      // What was sent to the API server and to gateways is answered in turns of the event loop, however long a busy machine makes them.
      for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setTimeout(resolve, 1));
    }
    return assert.fail(`${most} seconds were not enough for: ${what}`);
  }

  const leads = async (running: RunningScaler): Promise<boolean> =>
    (await fetch(running.url("/leader"))).status === 200;
  const lease = (): KubernetesObject | undefined => api.find(LEASES, "scalers", "test");
  const holder = (): unknown => (lease()?.["spec"] as { holderIdentity?: string } | undefined)?.holderIdentity;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  const page = async (running: RunningScaler): Promise<any> => (await fetch(running.url(PIPELINE))).json();
  const answer = (running: RunningScaler) =>
    running.keda.replicas(refOf()).catch((error: { code: number }) => error.code);

  /** A leader with a plan, and a follower that answers the same. */
  async function leaderAndFollower(): Promise<readonly [RunningScaler, RunningScaler]> {
    const first = await start("first");
    await until(() => holder() === "first", "the first scaler leads");
    first.gateway.rateRps = 150;
    await passUntil([first], async () => (first.board?.plan?.rateRps ?? 0) > 100, "a plan");
    const second = await start("second");
    second.gateway.rateRps = 150;
    await passUntil(
      [first, second],
      async () => typeof (await answer(first)) === "number" && (await answer(second)) === (await answer(first)),
      "the same answer",
    );
    return [first, second];
  }

  it("T22: followers answer KEDA what the leader does, and plan nothing", async () => {
    const [first, second] = await leaderAndFollower();
    assert.deepEqual([await leads(first), await leads(second)], [true, false]);
    for (const stage of ["detect", "read"]) {
      const ref = refOf(stage);
      assert.deepEqual(await second.keda.metrics(ref), await first.keda.metrics(ref));
      assert.deepEqual(await second.keda.spec(ref), await first.keda.spec(ref));
      assert.deepEqual(await second.keda.isActive(ref), await first.keda.isActive(ref));
    }
    assert.equal(second.board, null);
    await passUntil([first, second], async () => (await fetch(second.url("/readyz"))).status === 200, "ready");
  });

  it("leads in the end where the API server went away between the Lease and what is shared", async () => {
    const first = await start("first");
    let isDown = false;
    api.intercept = (seen, response) => {
      if (seen.method === "POST" && seen.path.endsWith("/leases")) isDown = true;
      else if (isDown) return refuse(response, 503, "ServiceUnavailable", "down");
      return false;
    };
    await passUntil([first], () => isDown && holder() === "first", "the Lease");
    for (let second = 0; second < 15; second++) {
      await first.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 150));
    }
    assert.equal(await leads(first), false);
    api.intercept = () => false;
    const until = async () => {
      await new Promise(resolve => setTimeout(resolve, 100));
      return leads(first);
    };
    await passUntil([first], until, "it leads", 40);
  });

  it("goes on from where the leader stopped when that is gone, and changes no answer in between", async () => {
    const [first, second] = await leaderAndFollower();
    const { epoch } = await page(first);
    const body = JSON.stringify({ stage: "read", batch: 2, ttlMs: 600_000, by: "ann", reason: "compare" });
    assert.equal((await fetch(first.url(`${PIPELINE}/pin`), { method: "PUT", body })).status, 200);
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    const live = async (running: RunningScaler): Promise<any> => (await fetch(running.url(`${PIPELINE}/live`))).json();
    const { changes } = await live(first);
    assert.equal(changes.length, 1);
    const { decisionId } = await page(second).then(shown => shown.board);
    const answers = new Set([await answer(first)]);
    // Its clock stands still from now on, as when it was killed.
    const seconds = await passUntil(
      [second],
      async () => {
        answers.add(await answer(second));
        return await leads(second);
      },
      "the second leads",
    );
    assert.ok(seconds >= TIMES.durationMs / 1000 - 2 && seconds <= 13, `it took ${seconds} s`);
    await passUntil([second], () => second.board !== null, "a board");
    answers.add(await answer(second));
    assert.equal(answers.size, 1, `answers were ${[...answers].join(", ")}`);
    const shown = await page(second);
    assert.deepEqual((await live(second)).changes, changes);
    assert.ok(shown.epoch > epoch);
    assert.ok(shown.board.decisionId >= decisionId, "decisions are counted on");
  });

  it("leads where the state of one pipeline can't be gone on from, says so of that one, and goes on with the others", async () => {
    const [first, second] = await leaderAndFollower();
    const scans = testPipeline({ name: "scans", stages: ["detect"] });
    const scansRef = refOf("detect", {
      scalerMetadata: { scalerAddress: "scaler:6000", pipeline: "scans", stage: "detect" },
    });
    for (const one of [first, second]) await one.scaler.pipelines.put(scans);
    const counts = (one: RunningScaler) => one.keda.replicas(scansRef).catch((error: { code: number }) => error.code);
    const boardOf = (one: RunningScaler) => one.scaler.boards.latest(scans.key);
    await passUntil(
      [first, second],
      async () => (await counts(second)) === boardOf(first)?.stages[0]?.metricValue,
      "its count",
    );
    const { decisionId } = (await page(first)).board;
    const { takeOver } = PipelineControl.prototype;
    let thrown = 0;
    PipelineControl.prototype.takeOver = function (stored, ...others) {
      if (this.pipeline.key.name !== "scans" || stored === null) return takeOver.call(this, stored, ...others);
      thrown += 1;
      throw new Error("a state of another world");
    };
    try {
      await passUntil([second], () => leads(second), "the second leads");
    } finally {
      PipelineControl.prototype.takeOver = takeOver;
    }
    await passUntil([second], () => second.board !== null && boardOf(second) !== null, "boards of both");
    assert.equal(thrown, 1);
    const shown = await page(second);
    assert.ok(shown.board.decisionId >= decisionId, "the other goes on from where the leader stopped");
    const takenOver = async (path: string) => {
      const { processConditions } = (await (await fetch(second.url(path))).json()) as {
        processConditions: { type: string; status: boolean; message: string }[];
      };
      return processConditions.find(({ type }) => type === "TakenOver");
    };
    assert.equal((await takenOver(PIPELINE))?.status, true);
    const said = await takenOver("/api/v1/pipelines/shop/scans");
    assert.equal(said?.status, false);
    assert.match(said?.message ?? "", /can't be gone on from: .*a state of another world/);
    await passUntil(
      [second],
      async () => (await counts(second)) === boardOf(second)?.stages[0]?.metricValue,
      "its new count",
    );
  });

  it("an old leader that wakes assigns nothing, sends its switchers to the new one and answers what that one does", async () => {
    const [first, second] = await leaderAndFollower();
    const pod = first.switcher();
    await until(() => pod.assignments.length > 0, "an assignment");
    await passUntil([second], () => leads(second), "the second leads");
    await fetch(second.url(`${PIPELINE}/pin`), {
      method: "PUT",
      body: JSON.stringify({ stage: "detect", replicas: 9, ttlMs: 600_000 }),
    });
    await passUntil([second], async () => (await answer(second)) === 9, "the pin");
    const sent = pod.assignments.length;
    const { board } = first;
    // It wakes into a load that asks for other variants, and nobody tells it yet that another leads.
    api.intercept = seen => seen.path.includes("/leases/");
    first.gateway.rateRps = 2000;
    first.clock.set(second.clock.nowMs());
    for (let second = 0; second < 12; second++) {
      await first.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    assert.equal(pod.assignments.length, sent, "nothing is assigned by an old leader");
    assert.equal(first.board, board, "nothing is planned by an old leader");
    assert.equal(await leads(first), false);
    api.intercept = () => false;
    await passUntil([first, second], () => pod.ended !== null, "the switcher is sent away");
    await passUntil([first, second], async () => (await answer(first)) === 9, "the answer of the new leader");
    const leaderOfFirst = async () =>
      ((await (await fetch(first.url("/leader"))).json()) as { leader: unknown }).leader;
    await passUntil(
      [first, second],
      async () => (await leaderOfFirst()) !== null,
      "the old leader knows the new one",
      1200,
    );
    const again = first.switcher();
    await again.endedWith();
    assert.equal(again.redirect, `127.0.0.1:${second.scaler.ports.switchers}`);
  });

  it("a follower sends switchers to the leader", async () => {
    const [first, second] = await leaderAndFollower();
    const pod = second.switcher();
    assert.equal((await pod.endedWith()).code, status.OK);
    assert.equal(pod.redirect, `127.0.0.1:${first.scaler.ports.switchers}`);
    assert.equal(pod.assignments.length, 0);
  });

  it("takes pins at any of them, and keeps them and the mode over a change of leader", async () => {
    const [first, second] = await leaderAndFollower();
    const pin = { stage: "read", replicas: 2, ttlMs: 600_000 };
    const put = await fetch(second.url(`${PIPELINE}/pin`), { method: "PUT", body: JSON.stringify(pin) });
    assert.equal(put.status, 403, "one that was passed on does not come from the leader's machine");
    assert.match(await put.text(), /at the scaler that leads alone/);
    const own = await fetch(first.url(`${PIPELINE}/pin`), { method: "PUT", body: JSON.stringify(pin) });
    assert.equal(own.status, 200);
    await passUntil([second], () => leads(second), "the second leads");
    const shown = await page(second);
    assert.deepEqual(
      shown.pins.map(({ stage, replicas }: typeof pin) => [stage, replicas]),
      [["read", 2]],
    );
  });

  it("without the API server nobody leads: answers stay until they are stale, and then fail", async () => {
    const [first, second] = await leaderAndFollower();
    const pod = first.switcher();
    await until(() => pod.assignments.length > 0, "an assignment");
    const before = await answer(first);
    api.intercept = (_seen, response) => refuse(response, 503, "ServiceUnavailable", "down");
    api.cut();
    const decided = await passUntil([first, second], async () => !(await leads(first)), "the leader freezes");
    assert.ok(decided <= TIMES.renewWithinMs / 1000 + 2, `it took ${decided} s`);
    const board = first.board;
    first.gateway.rateRps = 2000;
    await passUntil([first, second], () => pod.ended !== null, "switchers look for a leader");
    assert.deepEqual([await answer(first), await answer(second)], [before, before]);
    assert.equal(first.board, board, "nothing is planned");
    await passUntil([first, second], async () => (await answer(first)) === status.UNAVAILABLE, "stale answers fail");
    await passUntil([first, second], async () => (await answer(second)) === status.UNAVAILABLE, "stale answers fail");
    assert.equal((await second.keda.isActive(refOf())).result, true);
    assert.equal((await second.keda.spec(refOf())).metricSpecs.length, 1);
    assert.equal((await fetch(second.url("/readyz"))).status, 503);
    api.intercept = () => false;
    await passUntil([first, second], async () => (await leads(first)) || (await leads(second)), "one leads again");
    await passUntil(
      [first, second],
      async () => typeof (await answer(first)) === "number" && (await answer(first)) === (await answer(second)),
      "both answer again",
    );
  });

  it("a follower that does not hear of the leader's boards fails GetMetrics, though it sees the Lease renewed", async () => {
    const [first, second] = await leaderAndFollower();
    api.intercept = (seen, response) =>
      seen.path.startsWith("/api/v1/namespaces/scalers/configmaps") && seen.method === "GET"
        ? refuse(response, 503, "ServiceUnavailable", "no watches")
        : false;
    api.cut();
    first.gateway.rateRps = 700;
    await passUntil(
      [first, second],
      async () => (await answer(second)) === status.UNAVAILABLE,
      "it knows that it is behind",
    );
    assert.equal(typeof (await answer(first)), "number");
    assert.equal((await fetch(second.url("/readyz"))).status, 503);
  });

  it("a switcher finds the leader through a follower, by mutual TLS for the one name of all, and then the next leader", async () => {
    const authority = new TestAuthority("authority");
    const secret = new SecretFolder(authority.issue("scaler", { hosts: ["localhost"] }));
    const tls = await TlsFolder.open({ folder: secret.path, logger: createLogger("test", "silent") });
    const folder = new TestFolder();
    const stage = { name: "affine", ladder: { a: [2, 0.9], b: [3, 0.95], c: [1, 0.8] } } as const;
    const options = { pipelines: [pipelineFixture([stage])], tls };
    const first = await start("first", options);
    await until(() => holder() === "first", "the first scaler leads");
    const second = await start("second", options);
    for (const { gateway } of [first, second]) gateway.rateRps = 5;
    await passUntil([first, second], () => first.board?.plan != null, "a plan");
    const switcher = await TestSwitcher.start(
      affineConfig(folder.path, {
        pipeline: { namespace: "default", name: "fixture" },
        scalerAddress: `localhost:${second.scaler.ports.switchers}`,
        tlsFolder: secret.path,
      }),
    );
    const epochAt = (one: RunningScaler) => one.scaler.switchers(one.pipeline.key)[0]?.applied.epoch ?? 0;
    try {
      await passUntil([first, second], () => epochAt(first) > 0, "an assignment of the first leader");
      const epoch = epochAt(first);
      await first.close();
      members = members.filter(({ running }) => running !== first);
      await passUntil([second], () => epochAt(second) > epoch, "an assignment of the next leader");
      assert.equal((await switcher.infer([4])).status, 200);
    } finally {
      await switcher.close();
      for (const { running } of members.splice(0)) await running.close();
      tls.close();
      folder.delete();
      secret.remove();
    }
  });

  it("tell a ScaledObject once that its pipeline is refused, by the leader", async () => {
    const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
    const EVENTS = "/apis/events.k8s.io/v1/events";
    const told = () =>
      api.seen
        .filter(({ method, path }) => method === "POST" && path.endsWith("/events"))
        .map(({ body }) => body as KubernetesObject);
    for (const collection of [SCALED_OBJECTS, EVENTS, "/apis/autoscaling/v2/horizontalpodautoscalers"])
      api.collections.add(collection);
    const trigger = { type: "external", metadata: { scalerAddress: "s:6000", pipeline: "cards", stage: "detect" } };
    api.put(SCALED_OBJECTS, {
      metadata: { namespace: "shop", name: "detect", uid: "u-1" },
      spec: { scaleTargetRef: { name: "detect", kind: "Rollout" }, triggers: [trigger] },
    });
    const folder = new TestFolder();
    const path = join(folder.path, "pipeline.yaml");
    writeFileSync(path, testPipelineText({ stages: ["detect"] }));
    const begin = (instance: string): Promise<RunningScaler> =>
      start(instance, {
        ...{ pipelines: [], pipelineFiles: [{ path }] },
        kubernetes: { config: api.config(), hpaTolerance: 0, instance },
      });
    const isRefused = async (running: RunningScaler): Promise<boolean> =>
      (await (await fetch(running.url("/metrics"))).text()).includes('pipelines_refused{from="file"} 1');
    try {
      const first = await begin("first");
      await passUntil([first], () => leads(first), "the first leads");
      const second = await begin("second");
      writeFileSync(path, "nonsense: [");
      for (const one of [first, second]) await passUntil([first, second], () => isRefused(one), "it is refused");
      await passUntil([first, second], () => told().length > 0, "the Event");
      const laterMs = first.clock.nowMs() + 5000;
      await passUntil([first, second], () => first.clock.nowMs() >= laterMs, "some seconds");
      assert.deepEqual(
        told().map(event => event["reportingInstance"]),
        ["first"],
      );
      assert.match(String(told()[0]?.["note"]), /the last good one of pipeline cards stays: /);
      // The next leader counts it up.
      await passUntil([second], () => leads(second), "the second leads");
      await passUntil([second], () => told().length > 1, "it is told again");
      assert.equal(api.all(EVENTS).length, 1);
      assert.equal((api.all(EVENTS)[0]?.["series"] as { count: number } | undefined)?.count, 2);
    } finally {
      for (const { running } of members.splice(0)) await running.close();
      folder.delete();
    }
  });

  it("delete what is shared of a pipeline that is gone, and only the leader does", async () => {
    const [first, second] = await leaderAndFollower();
    const scans = testPipeline({ name: "scans", stages: ["detect"] });
    const named = () =>
      api.all(CONFIG_MAPS).map(({ metadata }) => Object(metadata["annotations"])["variscale.dev/pipeline"]);
    for (const one of [first, second]) await one.scaler.pipelines.put(scans);
    await passUntil([first, second], () => named().includes("shop/scans"), "the board of the other pipeline");
    for (const one of [first, second]) await one.scaler.pipelines.remove(scans.key);
    const goneAtMs = first.clock.nowMs();
    await passUntil([first, second], () => !named().includes("shop/scans"), "it is deleted");
    assert.ok(first.clock.nowMs() - goneAtMs >= KEPT_MS);
    assert.deepEqual(named(), ["shop/cards"]);
    assert.equal(api.seen.filter(({ method }) => method === "DELETE").length, 1);
  });

  it("keep what is shared of a pipeline whose description is wrong since before they started, until that goes", async () => {
    const named = () =>
      api
        .all(CONFIG_MAPS)
        .flatMap(({ metadata }) => Object(metadata["annotations"])["variscale.dev/pipeline"] ?? [])
        .sort();
    const describe = (text: string) => {
      const metadata = { namespace: "shop", name: "scans", labels: { "variscale.dev/pipeline": "" } };
      api.put(CONFIG_MAPS, { metadata, data: { "pipeline.yaml": text } });
    };
    const from = { objects: false, configMaps: true, scaledObjects: false };
    const watchedPipelines = { config: api.config(), namespaces: ["shop"], ...from };
    describe(testPipelineText({ name: "scans", stages: ["detect"] }));
    const first = await start("first", { watchedPipelines });
    await passUntil([first], () => named().length === 2, "both boards");
    await first.close();
    members = members.filter(({ running }) => running !== first);
    describe("nonsense: [");
    const second = await start("second", { watchedPipelines });
    await passUntil([second], () => leads(second), "the second leads");
    const afterMs = second.clock.nowMs() + 3 * KEPT_MS;
    await passUntil([second], () => second.clock.nowMs() > afterMs, "a while", 200);
    assert.deepEqual(named(), ["shop/cards", "shop/scans"]);
    api.remove(CONFIG_MAPS, "shop", "scans");
    await passUntil([second], () => named().length === 1, "it is deleted");
    assert.deepEqual(named(), ["shop/cards"]);
  });

  it("gives the Lease back when it ends: another leads at its next look", async () => {
    const [first, second] = await leaderAndFollower();
    await first.close();
    members = members.filter(({ running }) => running !== first);
    const seconds = await passUntil([second], () => leads(second), "the second leads");
    assert.ok(seconds <= 3, `it took ${seconds} s`);
  });

  it("answers what was shared, also where a write of it does not go through", async () => {
    const [first, second] = await leaderAndFollower();
    const before = await answer(first);
    api.intercept = (seen, response) =>
      seen.path.startsWith("/api/v1/namespaces/scalers/configmaps/") && seen.method === "PATCH"
        ? refuse(response, 403, "Forbidden", "no right")
        : false;
    const decided = first.board?.stages[0]?.metricValue;
    first.gateway.rateRps = 900;
    await passUntil([first, second], () => first.board?.stages[0]?.metricValue !== decided, "another decision");
    assert.deepEqual([await answer(first), await answer(second)], [before, before]);
    const { processConditions } = await page(first);
    const shared = processConditions.find(({ type }: { type: string }) => type === "BoardShared");
    assert.match(shared.message, /resources: \["configmaps"\], verbs: \["patch"\]/);
    await passUntil([first, second], async () => (await answer(first)) === status.UNAVAILABLE, "stale");
    await passUntil([first, second], async () => (await answer(second)) === status.UNAVAILABLE, "stale");
  });
});
