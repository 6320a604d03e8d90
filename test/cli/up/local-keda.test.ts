import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { type LocalKeda, startLocalKeda } from "../../../cli/up/local-keda.ts";
import { createLogger } from "../../../runtime/logger.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";
import { until } from "../../support/switcher-harness.ts";
import { KedaStub } from "../support/keda-stub.ts";

describe("startLocalKeda()", () => {
  let stub: KedaStub;
  let keda: LocalKeda;
  /** What was set newest, and how often anything was. */
  let replicas: Record<string, number>;
  let settings: number;

  beforeEach(async () => {
    stub = await KedaStub.start();
    replicas = {};
    settings = 0;
    keda = startLocalKeda({
      scalerAddress: stub.address,
      pipeline: twoStages(),
      logger: createLogger("test", "silent"),
      pollIntervalMs: 5,
      onReplicas: (stage, count) => {
        replicas[stage] = count;
        settings += 1;
      },
    });
  });
  afterEach(() => {
    keda.close();
    stub.stop();
  });

  /** Two whole rounds from now, so that whatever follows from the answers has been done. */
  const rounds = async (): Promise<void> => {
    const before = { ...stub.asked };
    await until(
      () => ["detect", "read"].every(stage => (stub.asked[stage] ?? 0) >= (before[stage] ?? 0) + 5),
      "asked again",
    );
  };

  it("sets what the scaler says, of every stage", async () => {
    stub.stages["detect"] = { replicas: 3, isActive: true };
    stub.stages["read"] = { replicas: 7, isActive: true };
    await until(() => replicas["detect"] === 3 && replicas["read"] === 7, "set");
    stub.stages["detect"] = { replicas: 2, isActive: true };
    await until(() => replicas["detect"] === 2, "set to fewer");
  });

  it("leaves the replicas of a stage as they are while there is no answer, and sets those of the others", async () => {
    stub.stages["read"] = { replicas: 4, isActive: true };
    await until(() => replicas["read"] === 4, "set");
    await rounds();
    assert.deepEqual(replicas, { read: 4 });
    stub.stages["read"] = { replicas: "unavailable", isActive: true };
    await rounds();
    assert.deepEqual(replicas, { read: 4 });
  });

  it("scales to zero what is not active, and never an active stage", async () => {
    stub.stages["detect"] = { replicas: 2, isActive: false };
    stub.stages["read"] = { replicas: 0, isActive: true };
    await until(() => replicas["detect"] === 0 && replicas["read"] === 1, "set");
    stub.stages["detect"] = { replicas: 2, isActive: true };
    await until(() => replicas["detect"] === 2, "awake");
  });

  it("leaves the replicas as they are while the scaler is gone, and follows it when it is back", async () => {
    stub.stages["detect"] = { replicas: 3, isActive: true };
    await until(() => replicas["detect"] === 3, "set");
    stub.stop();
    const port = Number(stub.address.split(":")[1]);
    const before = settings;
    stub = await KedaStub.start(port);
    stub.stages["detect"] = { replicas: 5, isActive: true };
    await until(() => replicas["detect"] === 5, "following again");
    assert.ok(settings > before);
    assert.ok(Object.values(replicas).every(count => count > 0));
  });

  it("sets nothing any more once it is closed", async () => {
    stub.stages["detect"] = { replicas: 3, isActive: true };
    await until(() => settings > 0, "set");
    keda.close();
    const before = settings;
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.equal(settings, before);
  });
});
