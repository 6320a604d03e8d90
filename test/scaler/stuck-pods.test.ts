import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { eventsOfStuck } from "../../scaler/board-events.ts";
import { targetView } from "../../scaler/kubernetes-objects.ts";
import type { LivePipeline, LiveStage } from "../../scaler/live-pipeline.ts";
import { StuckPods } from "../../scaler/stuck-pods.ts";
import { KubernetesApi, refuse } from "../support/kubernetes-api.ts";
import { ManualClock, until } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const PODS = "/api/v1/pods";
const KEY = { namespace: "shop", name: "cards" };
const APP = { matchLabels: { app: "d" } };
const QUOTA = { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota: q" };

describe("StuckPods", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let clock: ManualClock;
  let stuck: StuckPods;
  let problems: string[];

  beforeEach(async () => {
    api = await KubernetesApi.start();
    api.collections.add(PODS);
    client = new KubernetesClient(api.config());
    clock = new ManualClock();
    problems = [];
    const onList = (namespace: string, problem: string | null) => problems.push(`${namespace}: ${problem}`);
    stuck = new StuckPods({ client, nowMs: () => clock.nowMs(), onList });
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  /** By stage, what selects its pods. */
  function live(selectors: Readonly<Record<string, object>>, conditions: readonly object[] = []): LivePipeline {
    return Object.fromEntries(
      Object.entries(selectors).map(([stage, selector]) => {
        const metadata = { name: stage, namespace: "shop" };
        const target = targetView({ metadata, spec: { selector }, status: { conditions } });
        const scaledObject = { name: stage } as unknown as LiveStage["scaledObject"];
        return [stage, { scaledObject, autoscaler: null, target }];
      }),
    );
  }

  function put(name: string, labels: object, reason: string | null): void {
    const condition = reason === null ? { type: "Ready", status: "True" } : { type: "PodScheduled", status: "False" };
    api.put(PODS, {
      metadata: { namespace: "shop", name, labels },
      status: { conditions: [{ ...condition, reason, message: "m" }] },
    });
  }

  const listed = () => api.seen.filter(({ path }) => path.endsWith("/pods")).length;
  const detect = () => stuck.of(KEY)["detect"];
  const look = (selector: object, conditions: readonly object[] = []) =>
    stuck.look(KEY, live({ detect: selector }, conditions), ["detect"]);
  const answered = (times: number) => until(() => problems.length === times, `${times} answers`);

  it("says why pods of the target are not ready, by its whole selector, and looks again after a while", async () => {
    put("a", { app: "d", tier: "cpu" }, "Unschedulable");
    put("b", { app: "d", tier: "gpu" }, "SchedulingGated");
    const selector = { ...APP, matchExpressions: [{ key: "tier", operator: "In", values: ["cpu"] }] };
    look(selector);
    await answered(1);
    assert.equal(detect(), "1 of 1 pods not ready: Unschedulable: m (a)");
    await clock.advance(29_000);
    look(selector);
    await new Promise(resolve => setTimeout(resolve, 100));
    assert.equal(listed(), 1);
    put("a", { app: "d", tier: "cpu" }, "Preempted");
    await clock.advance(1000);
    look(selector);
    await until(() => /Preempted/.test(detect() ?? ""), "what is found then");
    stuck.forget("shop/cards");
    assert.equal(detect(), undefined);
  });

  it("looks only at stages that are stuck, tells only of them, and forgets those that are no more", async () => {
    put("a", { app: "a" }, "Unschedulable");
    put("b", { app: "b" }, "Unschedulable");
    const both = live({ a: { matchLabels: { app: "a" } }, b: { matchLabels: { app: "b" } } });
    const pipeline = testPipeline({ stages: ["a", "b"] });
    const told = () => eventsOfStuck(pipeline, both, stuck.troubles(KEY)).map(({ scaledObject }) => scaledObject.name);
    stuck.look(KEY, both, ["a"]);
    await answered(1);
    assert.deepEqual([Object.keys(stuck.of(KEY)), told(), listed()], [["a"], ["a"], 1]);
    stuck.look(KEY, both, ["a", "b"]);
    await answered(2);
    assert.deepEqual(
      [Object.keys(stuck.of(KEY)), told()],
      [
        ["a", "b"],
        ["a", "b"],
      ],
    );
    stuck.look(KEY, both, ["b"]);
    assert.deepEqual([Object.keys(stuck.of(KEY)), told()], [["b"], ["b"]]);
    stuck.look(KEY, both, []);
    assert.deepEqual([stuck.of(KEY), told(), stuck.known], [{}, [], []]);
  });

  it("keeps what it found while no pod waits, and drops it where one does without trouble", async () => {
    put("a", { app: "d" }, "Unschedulable");
    look(APP);
    await answered(1);
    api.remove(PODS, "shop", "a");
    await clock.advance(30_000);
    look(APP);
    await answered(2);
    assert.equal(detect(), "1 of 1 pods not ready: Unschedulable: m (a)");
    put("b", { app: "d" }, null);
    await clock.advance(30_000);
    look(APP);
    await answered(3);
    assert.equal(detect(), "1 of 1 pods not ready: Unschedulable: m (a)");
    const creationTimestamp = new Date(clock.nowMs()).toISOString();
    api.put(PODS, { metadata: { namespace: "shop", name: "c", labels: { app: "d" }, creationTimestamp }, status: {} });
    await clock.advance(30_000);
    look(APP);
    await answered(4);
    assert.equal(detect(), undefined);
  });

  it("tells the same where only counts and names are others, and leaves what the target says to its own Event", async () => {
    const told = () => eventsOfStuck(testPipeline({ stages: ["detect"] }), live({ detect: APP }), stuck.troubles(KEY));
    put("a", { app: "d" }, "Unschedulable");
    look(APP, [QUOTA]);
    await answered(1);
    assert.equal(detect(), "FailedCreate: exceeded quota: q; 1 of 1 pods not ready: Unschedulable: m (a)");
    const [first] = told();
    assert.match(first?.note ?? "", /that are: 1 of 1 pods not ready: Unschedulable: m \(a\)$/);
    put("b", { app: "d" }, "Unschedulable");
    await clock.advance(30_000);
    look(APP);
    await answered(2);
    assert.equal(told()[0]?.key, first?.key);
    assert.notEqual(told()[0]?.note, first?.note);
    put("b", { app: "d" }, "SchedulingGated");
    await clock.advance(30_000);
    look(APP);
    await answered(3);
    assert.notEqual(told()[0]?.key, first?.key);
  });

  it("pauses in a namespace that refuses, says so, and goes on in others", async () => {
    api.intercept = ({ path }, response) => path.endsWith("/shop/pods") && refuse(response, 403, "Forbidden", "no");
    look(APP, [QUOTA]);
    await answered(1);
    assert.match(problems[0] ?? "", /^shop: .*resources: \["pods"\], verbs: \["list"\]/);
    assert.equal(detect(), "FailedCreate: exceeded quota: q");
    look({ matchLabels: { app: "e" } });
    const scans = { namespace: "shop", name: "scans" };
    stuck.look(scans, live({ detect: APP }), ["detect"]);
    await clock.advance(59_000);
    look(APP);
    stuck.look({ namespace: "bank", name: "cards" }, live({ detect: APP }), ["detect"]);
    await answered(2);
    assert.deepEqual([problems[1], listed(), stuck.of(scans)], ["bank: null", 2, {}]);
    api.intercept = () => false;
    await clock.advance(1000);
    look(APP);
    await answered(3);
    assert.equal(problems[2], "shop: null");
  });

  it("asks for two lists at once, however many stages are stuck, and for each once", async () => {
    const answers: (() => void)[] = [];
    api.hold = () => new Promise<void>(resolve => answers.push(resolve));
    const names = Array.from({ length: 5 }, (_, i) => `s${i}`);
    const all = live(Object.fromEntries(names.map(name => [name, { matchLabels: { app: name } }])));
    const ask = () => {
      for (const name of ["cards", "scans"]) stuck.look({ namespace: "shop", name }, all, names);
    };
    ask();
    for (let done = 0; done < 10; done++) {
      await until(() => answers.length === Math.min(10, done + 2), "the questions");
      await clock.advance(1000);
      ask();
      await new Promise(resolve => setTimeout(resolve, 20));
      assert.equal(listed(), Math.min(10, done + 2));
      answers[done]?.();
      await answered(done + 1);
    }
    assert.equal(listed(), 10);
  });

  it("lists nothing for a selector that selects all pods", async () => {
    look({}, [QUOTA]);
    assert.equal(detect(), "FailedCreate: exceeded quota: q");
    stuck.look({ namespace: "shop", name: "scans" }, live({ detect: APP }), ["detect"]);
    await answered(1);
    assert.deepEqual(
      api.seen.map(({ query }) => query.get("labelSelector")),
      ["app=d"],
    );
  });

  it("keeps nothing of a pipeline whose replicas came meanwhile", async () => {
    put("a", { app: "d" }, "Unschedulable");
    const answers: (() => void)[] = [];
    api.hold = () => new Promise<void>(resolve => answers.push(resolve));
    stuck.look(KEY, live({ detect: APP, read: APP, sort: APP }), ["detect", "read", "sort"]);
    await until(() => answers.length === 2, "the questions");
    stuck.forget("shop/cards");
    for (const answer of answers) answer();
    await answered(2);
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.deepEqual([stuck.of(KEY), stuck.known, listed()], [{}, [], 2]);
  });
});
