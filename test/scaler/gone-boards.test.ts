import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { GoneBoards } from "../../scaler/gone-boards.ts";
import type { BoardObject } from "../../scaler/shared-board.ts";
import { KubernetesApi, refuse } from "../support/kubernetes-api.ts";
import { ManualClock, until } from "./support/manual-clock.ts";

const CONFIG_MAPS = "/api/v1/configmaps";
const MINUTE_MS = 60_000;

describe("GoneBoards", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let clock: ManualClock;
  let served: string[];
  let logged: string[];
  let tried: string[];
  let gone: GoneBoards;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    client = new KubernetesClient(api.config());
    clock = new ManualClock();
    served = ["shop/cards"];
    logged = [];
    tried = [];
    for (const name of ["cards", "scans"]) put(name);
    gone = new GoneBoards({
      // The real calls, seen as they are made.
      client: {
        delete: (resource, namespace, name, version) => {
          tried.push(name);
          return client.delete(resource, namespace, name, version);
        },
      },
      ...{ namespace: "scalers", clock, keptMs: 10 * MINUTE_MS },
      logger: pino({ level: "info" }, { write: line => void logged.push(JSON.parse(line).msg) }),
      objects: () => found,
      served: () => new Set(served),
    });
    found = objects();
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  /** As the watch has seen them. */
  let found: BoardObject[];

  function put(name: string): void {
    api.put(CONFIG_MAPS, { metadata: { namespace: "scalers", name } });
  }

  function objects(): BoardObject[] {
    return api.all(CONFIG_MAPS).map(({ metadata: { name, resourceVersion } }) => ({
      ...{ name, resourceVersion: String(resourceVersion), pipeline: `shop/${name}` },
      ...{ write: { epoch: 1, number: 1 }, data: "" },
    }));
  }

  const left = () => api.all(CONFIG_MAPS).map(({ metadata }) => metadata.name);

  /** Looks every second, as the control loop does. */
  function pass(ms: number, mayDelete = true): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      clock.set(clock.nowMs() + 1000);
      gone.look(mayDelete);
    }
  }

  it("deletes those alone whose pipeline has been gone for ten minutes", async () => {
    pass(10 * MINUTE_MS);
    assert.deepEqual(tried, []);
    pass(2000);
    await until(() => logged.length > 0, "the deletion");
    assert.deepEqual(left(), ["cards"]);
    assert.match(logged[0] ?? "", /^deleted the board/);
  });

  it("begins to count anew when the pipeline comes back, and when this process does not lead or does not know all", async () => {
    pass(9 * MINUTE_MS);
    served = ["shop/cards", "shop/scans"];
    pass(1000);
    served = ["shop/cards"];
    pass(9 * MINUTE_MS);
    pass(1000, false);
    pass(10 * MINUTE_MS);
    assert.deepEqual(tried, []);
    pass(2000);
    await until(() => logged.length > 0, "the deletion");
    assert.deepEqual(left(), ["cards"]);
  });

  it("leaves one that another leader has written meanwhile", async () => {
    put("scans");
    pass(10 * MINUTE_MS + 2000);
    await until(() => api.seen.length === 1, "the try");
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.deepEqual(left(), ["cards", "scans"]);
  });

  it("says which right it misses, and tries again after as long", async () => {
    api.intercept = (_seen, response) => refuse(response, 403, "Forbidden", "no");
    pass(10 * MINUTE_MS + 2000);
    await until(() => logged.length === 1, "the refusal");
    assert.match(logged[0] ?? "", /stays: .*resources: \["configmaps"\], verbs: \["delete"\]/);
    pass(9 * MINUTE_MS);
    assert.equal(tried.length, 1);
    api.intercept = () => false;
    pass(2 * MINUTE_MS);
    await until(() => logged.length === 2, "the deletion");
    assert.deepEqual(left(), ["cards"]);
  });
});
