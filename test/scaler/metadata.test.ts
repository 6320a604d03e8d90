import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parseTriggerMetadata } from "../../scaler/metadata.ts";

describe("parseTriggerMetadata()", () => {
  const good = { scalerAddress: "scaler:6000", enableTLS: "true", pipeline: "p", stage: "s" };

  it("passes over keys of others", () => {
    assert.deepEqual(parseTriggerMetadata({ ...good, whatever: "1" }), { pipeline: "p", stage: "s", warnings: [] });
  });

  it("takes the keys that KEDA resolved from the environment", () => {
    const { pipeline, stage } = parseTriggerMetadata({ pipelineFromEnv: "p", stageFromEnv: "s" });
    assert.deepEqual([pipeline, stage], ["p", "s"]);
  });

  it("T20 warns about certificates that KEDA does not read there", () => {
    const { warnings } = parseTriggerMetadata({ ...good, caCert: "PEM", tlsClientCert: "PEM", tlsClientKey: "PEM" });
    assert.equal(warnings.length, 3);
    assert.match(warnings[0] ?? "", /caCert.*TriggerAuthentication/);
  });

  it("warns about a misspelt key beside the right one", () => {
    assert.deepEqual(parseTriggerMetadata({ ...good, stageName: "x" }).warnings, [
      "`stageName` is passed over: is `stage` meant?",
    ]);
  });

  const refused: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ["nothing", {}, /`pipeline` is missing: add `pipeline`.*`stage` is missing: add/],
    ["a misspelt pipeline", { pipelineName: "p", stage: "s" }, /`pipeline` is missing: rename `pipelineName`/],
    ["another case", { Pipeline: "p", STAGE: "s" }, /rename `Pipeline` to `pipeline`; .*rename `STAGE` to `stage`/],
    ["an empty value", { pipeline: "p", stage: "" }, /`stage` must not be empty/],
    ["an endless value", { pipeline: "p".repeat(1000), stage: "s" }, /`pipeline` /],
  ];
  for (const [what, metadata, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseTriggerMetadata(metadata), { code: "invalid_argument", message });
    });
  }
});
