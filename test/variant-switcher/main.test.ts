import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { NO_BUDGETS } from "../../domain/serving/deadlines.ts";
import { createLogger } from "../../runtime/logger.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { SwitcherParts } from "../../variant-switcher/switcher-parts.ts";
import { imageModel, writeModel } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("startSwitcher()", () => {
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  it("says which port is taken and leaves nothing behind", async () => {
    const first = await TestSwitcher.startReady(affineConfig(folder.path));
    const { http, admin, metrics } = first.switcher.ports;
    for (const ports of [
      { http, admin: 0, metrics: 0 },
      { http: 0, admin, metrics: 0 },
      { http: 0, admin: 0, metrics },
    ])
      await assert.rejects(TestSwitcher.start(affineConfig(folder.path, { ports })), {
        code: "failed_precondition",
        message: /cannot listen on 127\.0\.0\.1:\d+/,
      });
    await first.close();
  });

  it("stays alive and unready when no variant can be loaded, and serves once one can", async () => {
    const variant = writeModel(folder.path, "only", imageModel(1, 0));
    const config = affineConfig(folder.path, { variants: [variant], defaultVariant: "only" });
    const switcher = await TestSwitcher.start(config);
    try {
      await until(async () => (await switcher.variants())["only"]?.state === "quarantined", "quarantined");
      assert.equal((await switcher.http("/v2/health/live")).status, 200);
      assert.equal((await switcher.http("/v2/health/ready")).status, 503);
      const probe = async (path: string) =>
        (await fetch(`http://127.0.0.1:${switcher.switcher.ports.metrics}${path}`)).status;
      assert.equal(await probe("/healthz"), 200);
      assert.equal(await probe("/readyz"), 503);
      const refused = await switcher.infer([1]);
      assert.equal(refused.status, 503);
      assert.match(refused.body.error ?? "", /no variant is loaded yet/);
      assert.match((await switcher.variants())["only"]?.reason ?? "", /needs an input "image"/);
    } finally {
      await switcher.close();
    }
  });

  it("refuses to be reachable at an address that is none", () => {
    const config = affineConfig(folder.path, { host: "0.0.0.0", scalerAddress: "scaler:6001" });
    assert.throws(
      () => parseSwitcherConfig(config),
      /advertiseAddress is missing; it must be given with the host 0\.0\.0\.0/,
    );
    parseSwitcherConfig({ ...config, advertiseAddress: "10.0.0.7:8000" });
  });

  it("counts with the busy neighbours of its configuration", async () => {
    const config = parseSwitcherConfig(affineConfig(folder.path, { crowding: 2 }));
    const parts = new SwitcherParts({ config, logger: createLogger("test", "silent") });
    assert.equal(parts.times.crowding, 2);
    parts.end();
    await parts.close();
  });

  it("takes no Assignment once it ends", async () => {
    const logger = createLogger("test", "silent");
    const parts = new SwitcherParts({ config: parseSwitcherConfig(affineConfig(folder.path)), logger });
    const codes: string[] = [];
    parts.switching.listen((_, outcome) => codes.push(outcome.kind === "done" ? "done" : outcome.code));
    parts.end();
    const assignment = {
      version: { epoch: 1, counter: 1 },
      rungs: [{ variant: "a", maxBatch: 1 }],
      top: "a",
      floor: "a",
      ...NO_BUDGETS,
      shadow: false,
      belowFloor: [],
      decisionId: "",
    };
    parts.switching.tell({ kind: "assign", assignment });
    assert.deepEqual(codes, ["shutting_down"]);
    await parts.close();
  });
});
