import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type WatchedPipelinesFlags, watchedPipelines } from "../../cli/scaler/watched-pipelines.ts";
import type { KubernetesConfig } from "../../runtime/kubernetes-config.ts";

const CONFIG: KubernetesConfig = {
  server: "https://127.0.0.1:1",
  namespace: "own",
  origin: "the test",
  serverName: null,
  verify: true,
  proxyUrl: null,
  impersonation: {},
  access: () => Promise.reject(new Error("nothing is asked")),
};

function flags(more: Partial<WatchedPipelinesFlags> = {}): WatchedPipelinesFlags {
  return { pipelinesFrom: [], namespace: [], set: [], ...more };
}

describe("watchedPipelines()", () => {
  it("is nothing where there are files alone", () => {
    assert.equal(watchedPipelines(flags(), 1, CONFIG), null);
  });

  it("looks into the scaler's own namespace, or each of those that are named once", () => {
    const own = watchedPipelines(flags({ pipelinesFrom: ["crd"] }), 0, CONFIG);
    const none = { config: CONFIG, objects: false, configMaps: false, scaledObjects: false, set: [] };
    assert.deepEqual(own, { ...none, namespaces: ["own"], objects: true });
    const named = flags({ pipelinesFrom: ["configmaps", "crd"], namespace: ["a", "b", "a"], set: ["x=1"] });
    const both = { ...none, namespaces: ["a", "b"], objects: true, configMaps: true, set: ["x=1"] };
    assert.deepEqual(watchedPipelines(named, 2, CONFIG), both);
    const annotated = watchedPipelines(flags({ pipelinesFrom: ["scaledobjects"] }), 0, CONFIG);
    assert.deepEqual(annotated, { ...none, namespaces: ["own"], scaledObjects: true });
  });

  for (const [what, given, config, message] of [
    ["no pipelines at all", flags(), CONFIG, /name their files or folders, or write --pipelines-from crd/],
    [
      "a source that there is not",
      flags({ pipelinesFrom: ["git"] }),
      CONFIG,
      /must be one of crd, configmaps, scaledobjects/,
    ],
    ["no API server", flags({ pipelinesFrom: ["crd"] }), null, /needs an API server/],
  ] as const)
    it(`refuses ${what}`, () => {
      assert.throws(() => watchedPipelines(given, 0, config), message);
    });

  it("refuses a namespace for files", () => {
    assert.throws(() => watchedPipelines(flags({ namespace: ["a"] }), 1, CONFIG), /goes with --pipelines-from/);
  });
});
