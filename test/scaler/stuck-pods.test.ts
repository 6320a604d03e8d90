import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { targetView } from "../../scaler/kubernetes-objects.ts";
import type { LivePipeline, LiveStage } from "../../scaler/live-pipeline.ts";
import { StuckPods } from "../../scaler/stuck-pods.ts";
import { KubernetesApi, refuse } from "../support/kubernetes-api.ts";
import { ManualClock, until } from "./support/manual-clock.ts";

const PODS = "/api/v1/pods";
const KEY = { namespace: "shop", name: "cards" };
const QUOTA = { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota: q" };

describe("StuckPods", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let clock: ManualClock;
  let stuck: StuckPods;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    api.collections.add(PODS);
    client = new KubernetesClient(api.config());
    clock = new ManualClock();
    stuck = new StuckPods({ client, nowMs: () => clock.nowMs() });
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  function live(selector: object | undefined, conditions: readonly object[] = []): LivePipeline {
    const target = targetView({
      metadata: { name: "d", namespace: "shop" },
      spec: { selector },
      status: { conditions },
    });
    return { detect: { scaledObject: null as unknown as LiveStage["scaledObject"], autoscaler: null, target } };
  }

  function put(name: string, labels: object, reason: string): void {
    api.put(PODS, {
      metadata: { namespace: "shop", name, labels },
      status: { conditions: [{ type: "PodScheduled", status: "False", reason, message: "m" }] },
    });
  }

  const listed = () => api.seen.filter(({ path }) => path.endsWith("/pods")).length;
  const detect = () => stuck.of(KEY)["detect"];

  it("says why pods of the target are not ready, by its whole selector, and looks again after a while", async () => {
    put("a", { app: "d", tier: "cpu" }, "Unschedulable");
    put("b", { app: "d", tier: "gpu" }, "SchedulingGated");
    const selector = {
      matchLabels: { app: "d" },
      matchExpressions: [{ key: "tier", operator: "In", values: ["cpu"] }],
    };
    stuck.look(KEY, live(selector));
    await until(() => detect() !== undefined, "what is found");
    assert.equal(detect(), "1 of 1 pods not ready: Unschedulable: m (a)");
    await clock.advance(29_000);
    stuck.look(KEY, live(selector));
    await new Promise(resolve => setTimeout(resolve, 100));
    assert.equal(listed(), 1);
    put("a", { app: "d", tier: "cpu" }, "Preempted");
    await clock.advance(1000);
    stuck.look(KEY, live(selector));
    await until(() => /Preempted/.test(detect() ?? ""), "what is found then");
    stuck.forget("shop/cards");
    assert.equal(detect(), undefined);
  });

  it("says what the target itself says where pods may not be listed, and nothing where that says nothing", async () => {
    api.intercept = ({ path }, response) => path.endsWith("/pods") && refuse(response, 403, "Forbidden", "no");
    stuck.look(KEY, live({ matchLabels: { app: "d" } }, [QUOTA]));
    await until(() => detect() !== undefined, "what is found");
    assert.equal(detect(), "FailedCreate: exceeded quota: q");
    const other = { namespace: "shop", name: "scans" };
    stuck.look(other, live({ matchLabels: { app: "d" } }));
    await until(() => listed() === 2, "the question");
    assert.deepEqual(stuck.of(other), {});
  });

  it("keeps nothing of a pipeline whose replicas came meanwhile", async () => {
    put("a", { app: "d" }, "Unschedulable");
    let answer = (): void => undefined;
    api.hold = () => new Promise<void>(resolve => (answer = resolve));
    stuck.look(KEY, live({ matchLabels: { app: "d" } }));
    await until(() => listed() === 1, "the question");
    stuck.forget("shop/cards");
    answer();
    api.hold = () => null;
    // Asked after it, and so answered after it.
    await client.list({ group: "", version: "v1", plural: "pods" }, "shop", () => undefined);
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.equal(detect(), undefined);
    assert.deepEqual(stuck.known, []);
  });
});
