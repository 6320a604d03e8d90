import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { BoardPublisher } from "../../scaler/board-publisher.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { KubernetesApi } from "../support/kubernetes-api.ts";
import { ManualClock, until } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const HOUR_MS = 3_600_000;

describe("BoardPublisher", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    api.collections.add("/api/v1/configmaps");
    client = new KubernetesClient(api.config());
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  it("shares every 30 s what only a successor needs, also after the clock was set back", async () => {
    const clock = new ManualClock();
    const published: number[] = [];
    const problems: (string | null)[] = [];
    const publisher = new BoardPublisher({
      ...{ client, namespace: "scalers", lease: "test", clock },
      isLeading: () => true,
      onPublished: ({ atMs }) => published.push(atMs),
      onWrite: (_key, problem) => problems.push(problem),
      onDeposed: () => undefined,
    });
    const options = { pipeline: testPipeline(), stored: null, epoch: 1, machineCores: null, nowMs: clock.nowMs() };
    const control = new PipelineControl(options);
    const board = control.tick([{ atMs: clock.nowMs(), rateRps: 50 }], [], clock.nowMs());
    const writes = () => api.seen.filter(({ method }) => method !== "GET").length;
    const offer = () => publisher.offer(control, { ...board, atMs: clock.nowMs() });
    publisher.begin(1, new Map());
    offer();
    await until(() => problems.length === 1, "the first write");
    clock.set(clock.nowMs() + 29_000);
    offer();
    assert.equal(published.length, 2);
    clock.set(clock.nowMs() + 1000);
    offer();
    await until(() => problems.length === 2, "the second write");
    clock.set(clock.nowMs() - HOUR_MS);
    offer();
    await until(() => problems.length === 3, "the third write");
    offer();
    assert.deepEqual([problems, writes()], [[null, null, null], 3]);
  });
});
