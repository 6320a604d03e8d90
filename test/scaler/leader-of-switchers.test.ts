import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { TlsFolder } from "../../runtime/tls-folder.ts";
import { TestAuthority } from "../support/certificates.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { until } from "./support/manual-clock.ts";
import type { RunningScaler } from "./support/running-scaler.ts";
import { passUntil, SeveralScalers } from "./support/several-scalers.ts";

describe("switchers of several scalers", () => {
  let scalers: SeveralScalers;
  beforeEach(async () => {
    scalers = await SeveralScalers.open();
  });
  afterEach(() => scalers.close());

  it("a follower sends switchers to the leader", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const pod = second.switcher();
    assert.equal((await pod.endedWith()).code, status.OK);
    assert.equal(pod.redirect, `127.0.0.1:${first.scaler.ports.switchers}`);
    assert.equal(pod.assignments.length, 0);
  });

  it("a switcher finds the leader through a follower, by mutual TLS for the one name of all, and then the next leader", async () => {
    const authority = new TestAuthority("authority");
    const secret = new SecretFolder(authority.issue("scaler", { hosts: ["localhost"] }));
    const tls = await TlsFolder.open({ folder: secret.path, logger: createLogger("test", "silent") });
    const folder = new TestFolder();
    const stage = { name: "affine", ladder: { a: [2, 0.9], b: [3, 0.95], c: [1, 0.8] } } as const;
    const options = { pipelines: [pipelineFixture([stage])], tls };
    const first = await scalers.start("first", options);
    await until(() => scalers.holder() === "first", "the first scaler leads");
    const second = await scalers.start("second", options);
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
      scalers.forget(first);
      await passUntil([second], () => epochAt(second) > epoch, "an assignment of the next leader");
      assert.equal((await switcher.infer([4])).status, 200);
    } finally {
      await switcher.close();
      await scalers.closeAll();
      tls.close();
      folder.delete();
      secret.remove();
    }
  });
});
