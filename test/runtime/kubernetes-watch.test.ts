import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { type KubernetesWatch, startKubernetesWatch } from "../../runtime/kubernetes-watch.ts";
import { KubernetesApi, refuse } from "../support/kubernetes-api.ts";
import { until } from "../support/until.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";

describe("startKubernetesWatch()", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let watch: KubernetesWatch<number> | undefined;
  let changes: number;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    api.collections.add(SCALED_OBJECTS);
    client = new KubernetesClient(api.config());
    changes = 0;
  });

  afterEach(async () => {
    watch?.close();
    client.close();
    await api.close();
  });

  function put(name: string, value: unknown, namespace = "shop"): void {
    api.put(SCALED_OBJECTS, { metadata: { namespace, name }, spec: { value } });
  }

  function start(): KubernetesWatch<number> {
    watch = startKubernetesWatch({
      client,
      resource: RESOURCES.scaledObjects,
      namespace: "shop",
      project: object => {
        const { value } = (object as { spec: { value: number | null } }).spec;
        if (value === -1) throw new Error("a shape that is not known");
        return value;
      },
      onChange: () => {
        changes += 1;
      },
      nowMs: () => 5,
      random: () => 0,
    });
    return watch;
  }

  const seen = (): Record<string, number> => Object.fromEntries(watch?.objects ?? []);
  const lists = (): number => api.seen.filter(request => request.query.get("watch") === null).length;

  it("lists, and follows what is added, changed and deleted", async () => {
    put("a", 1);
    put("elsewhere", 9, "other");
    const started = start();
    assert.equal(started.synced, false);
    await until(() => api.openWatches === 1);
    assert.deepEqual(seen(), { "shop/a": 1 });
    assert.equal(started.synced, true);
    assert.equal(started.contactAtMs, 5);
    put("b", 2);
    put("a", 3);
    put("elsewhere", 8, "other");
    await until(() => seen()["shop/a"] === 3);
    assert.deepEqual(seen(), { "shop/a": 3, "shop/b": 2 });
    api.remove(SCALED_OBJECTS, "shop", "a");
    await until(() => !("shop/a" in seen()));
    assert.equal(lists(), 1);
    assert.ok(changes >= 4);
    const before = changes;
    // Nothing that is kept of it has changed.
    put("b", 2);
    put("c", 4);
    await until(() => seen()["shop/c"] === 4);
    assert.equal(changes, before + 1);
  });

  it("passes over objects that are not wanted or of a shape that is not known", async () => {
    put("no", null);
    put("bad", -1);
    put("a", 1);
    start();
    await until(() => api.openWatches === 1);
    assert.deepEqual(seen(), { "shop/a": 1 });
    put("a", null);
    await until(() => Object.keys(seen()).length === 0);
  });

  it("goes on from its version after a connection broke, without listing again", async () => {
    put("a", 1);
    start();
    await until(() => api.openWatches === 1);
    api.bookmark();
    put("b", 2);
    await until(() => seen()["shop/b"] === 2);
    api.cut();
    put("c", 3);
    await until(() => seen()["shop/c"] === 3);
    assert.equal(lists(), 1);
    assert.equal(watch?.problem, null);
  });

  it("lists again when its version is too old, and finds what was deleted meanwhile", async () => {
    put("a", 1);
    put("b", 2);
    start();
    await until(() => api.openWatches === 1);
    api.cut();
    api.remove(SCALED_OBJECTS, "shop", "a");
    api.compact();
    await until(() => !("shop/a" in seen()) && api.openWatches === 1);
    assert.equal(lists(), 2);
    api.expireWatches();
    await until(() => lists() === 3 && api.openWatches === 1);
    assert.deepEqual(seen(), { "shop/b": 2 });
  });

  it("keeps what it saw while it is refused, says why, and recovers", async () => {
    put("a", 1);
    const started = start();
    await until(() => api.openWatches === 1);
    api.intercept = (_request, response) => refuse(response, 403, "Forbidden", "no");
    api.cut();
    await until(() => started.problem !== null && /verbs: \["watch"\]/.test(started.problem));
    assert.deepEqual(seen(), { "shop/a": 1 });
    api.intercept = () => false;
    await until(() => started.problem === null && api.openWatches === 1);
    put("b", 2);
    await until(() => seen()["shop/b"] === 2);
  });

  it("survives events that are no JSON", async () => {
    put("a", 1);
    api.intercept = (request, response) => {
      if (request.query.get("watch") !== "true") return false;
      api.intercept = () => false;
      response.end("{broken\n");
      return true;
    };
    start();
    await until(() => api.openWatches === 1);
    put("a", 4);
    await until(() => seen()["shop/a"] === 4);
  });

  it("ends at once when it is closed", async () => {
    start();
    await until(() => api.openWatches === 1);
    watch?.close();
    await until(() => api.openWatches === 0);
  });
});
