import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { formatMeasurements } from "../../cli/format-measurements.ts";
import { measurementsSchema } from "../../domain/profile-schema.ts";
import { type ProfileCommand, runProfile } from "../../profiler/main.ts";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { TestFolder } from "../support/switcher-harness.ts";

describe("a profile on a noisy machine", function () {
  // What is slow here is the server, on purpose.
  this.timeout(300_000);

  let folder: TestFolder;
  let steady: FakeModelServer;
  let noisy: FakeModelServer;
  let lines: string[];
  /** Of the noisy one, by runs before. */
  let loadsBefore: number;
  const written = () => join(folder.path, "measurements.json");
  const profile = (change: Partial<ProfileCommand> = {}) =>
    runProfile({
      ...{ target: folder.path, modelFolder: folder.path, windowMs: 5, gapMs: 0, onProgress: line => lines.push(line) },
      ...change,
    });

  beforeEach(async () => {
    folder = new TestFolder();
    lines = [];
    // So long that what else runs beside this test makes less of a difference than a tenth.
    steady = await FakeModelServer.start();
    steady.inferMs = () => 100;
    noisy = await FakeModelServer.start();
    // Slower at every visit, by more than what else runs beside this test.
    loadsBefore = 0;
    noisy.inferMs = () => 60 * 1.4 ** (noisy.loads - loadsBefore);
    writeFileSync(
      join(folder.path, "pipeline.yaml"),
      `apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: noise }
spec:
  slo: { latencyMs: 1000 }
  stages:
    - name: only
      contract:
        inputs: [{ name: x, datatype: FP32, shape: [-1, 2] }]
        outputs: [{ name: y, datatype: FP32, shape: [-1, 2] }]
      defaultVariant: steady
      variants:
        - { name: steady, driver: remote, model: x, url: "${steady.url}" }
        - { name: noisy, driver: remote, model: x, url: "${noisy.url}" }
`,
    );
  });
  afterEach(async () => {
    await steady.close();
    await noisy.close();
    folder.delete();
  });

  it("writes nothing, says what was noisy, and measures only that anew the next time", async () => {
    writeFileSync(written(), "what was there");
    await assert.rejects(profile(), {
      code: "failed_precondition",
      message:
        /too noisy, nothing was written\. No two windows agree within 10 % and 0\.02 ms about only\/noisy at batch \d+ \(\d+ % apart\).*run the same command again.*--accept-noise/,
    });
    assert.equal(readFileSync(written(), "utf8"), "what was there");
    // Once for the check of its contract, then once a window.
    assert.equal(noisy.loads, 1 + 8);
    assert.ok(lines.some(line => line.startsWith("[2/2] only/noisy, window 8: batch ")));
    loadsBefore = noisy.loads;
    lines = [];
    await profile({ acceptNoise: true });
    assert.deepEqual(
      lines.filter(line => line.startsWith("[1/2]")),
      ["[1/2] only/steady: kept from the run before"],
    );
    assert.ok(lines.some(line => line.startsWith("[2/2] only/noisy: batch 1 takes ")));
    // Noise that is accepted is not measured again and again.
    assert.equal(noisy.loads, loadsBefore + 1 + 2);
  });

  it("leaves time between two windows, also where no other variant is measured in between", async () => {
    const gapMs = 3000;
    let [endedMs, beganMs] = [0, 0];
    steady.inferMs = () => {
      // The first load is of the contract's check, the second of the first window.
      if (steady.loads <= 2) endedMs = performance.now() + 100;
      else if (beganMs === 0) beganMs = performance.now();
      return 100;
    };
    await profile({ leaveOut: ["only/noisy"], gapMs, acceptNoise: true });
    assert.ok(beganMs - endedMs >= gapMs, `${beganMs - endedMs} ms`);
  });

  it("writes all the same where that is asked for, and says so in the file and in the table", async () => {
    await profile({ acceptNoise: true });
    assert.ok(existsSync(written()));
    const measurements = measurementsSchema.parse(JSON.parse(readFileSync(written(), "utf8")));
    const { noise = [] } = measurements;
    assert.deepEqual([noise[0]?.stage, noise[0]?.variant], ["only", "noisy"]);
    assert.ok((noise[0]?.spread ?? 0) > 0.1);
    assert.ok(noise.every(({ variant }) => variant === "noisy"));
    assert.match(formatMeasurements(measurements), /^too noisy, written all the same: only\/noisy at batch \d+ \(/m);
  });
});
