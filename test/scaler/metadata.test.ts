import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { parseTriggerMetadata } from "../../scaler/metadata.ts";

describe("parseTriggerMetadata()", () => {
  const good = { scalerAddress: "scaler:6000", enableTLS: "true", unsafeSsl: "false", pipeline: "p", stage: "s" };

  it("takes the keys of a trigger of ours", () => {
    assert.deepEqual(parseTriggerMetadata(good), { pipeline: "p", stage: "s" });
    assert.deepEqual(parseTriggerMetadata({ pipeline: "p", stage: "s" }), { pipeline: "p", stage: "s" });
  });

  it("takes KEDA's own keys also as it resolved them from the environment", () => {
    const fromEnv = { pipeline: "p", stage: "s", scalerAddressFromEnv: "a", enableTLSFromEnv: "true" };
    assert.deepEqual(parseTriggerMetadata(fromEnv), { pipeline: "p", stage: "s" });
  });

  it("looks at no more keys than a trigger can have", () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`key${i}`, "x"]));
    assert.throws(() => parseTriggerMetadata(many), {
      code: "invalid_argument",
      message: /there are 65 keys, at most 64/,
    });
  });

  it("T20: refuses certificates, which KEDA reads from a TriggerAuthentication alone, and does not repeat them", () => {
    const keys = ["caCert", "tlsClientCert", "tlsClientKey", "tlsClientKeyFromEnv"];
    for (const key of keys) {
      assert.throws(
        () => parseTriggerMetadata({ ...good, [key]: "SECRET" }),
        (error: Error) => error.message.includes(`\`${key}\` does nothing here`) && !error.message.includes("SECRET"),
      );
    }
  });

  const refused: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ["nothing", {}, /`pipeline` is missing: add it.*`stage` is missing: add it/],
    [
      "a name from the environment",
      { pipeline: "p", stageFromEnv: "s" },
      /`stage` is missing.*`stageFromEnv` names what/,
    ],
    ["a misspelt pipeline", { pipelineName: "p", stage: "s" }, /`pipelineName` is unknown: rename it to `pipeline`/],
    ["another case", { Pipeline: "p", STAGE: "s" }, /rename it to `pipeline`.*rename it to `stage`/],
    ["a synonym", { pipeline: "p", pipelineStage: "s" }, /`pipelineStage` is unknown: rename it to `stage`/],
    [
      "a misspelt key beside the right one",
      { ...good, stageName: "x" },
      /`stageName` is unknown: .* `stage`; known are/,
    ],
    ["a key of another scaler", { ...good, serverAddress: "x" }, /`serverAddress` is unknown: .*scalerAddress/],
    ["a key like nothing", { ...good, query: "sum(x)" }, /`query` is unknown: remove it; known are pipeline, stage/],
    ["a key of the prototype", { ...good, constructor: "x" }, /`constructor` is unknown: remove it/],
    ["an empty value", { pipeline: "p", stage: "" }, /`stage` must not be empty/],
    ["an endless value", { pipeline: "p".repeat(1000), stage: "s" }, /`pipeline` is 1000 characters long: .* 253/],
    [
      "a name that is given twice",
      { ...good, stageFromEnv: "t" },
      /`stageFromEnv` names what only the target's pods know/,
    ],
    ["a switch that is neither", { ...good, enableTLS: "yes" }, /`enableTLS` is `yes`: it must be `true` or `false`/],
  ];
  for (const [what, metadata, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseTriggerMetadata(metadata), { code: "invalid_argument", message });
    });
  }

  it("does not show the value of a key that it does not know: it may be a password", () => {
    assert.throws(
      () => parseTriggerMetadata({ ...good, password: "hunter2" }),
      (error: Error) => !error.message.includes("hunter2"),
    );
  });

  it("either takes both names as they are or refuses with a short text that names a key", () => {
    const key = fc.oneof(
      fc.constantFrom("pipeline", "stage", "pipelineFromEnv", "stageFromEnv", "enableTLS", "unsafeSsl", "__proto__"),
      fc.string({ unit: "binary", maxLength: 300 }),
    );
    const value = fc.oneof(fc.constantFrom("p", "true", "false", "", " "), fc.string({ unit: "binary" }));
    const metadata = fc.dictionary(key, value, { maxKeys: 12, noNullPrototype: false });
    fc.assert(
      fc.property(metadata, given => {
        try {
          const { pipeline, stage } = parseTriggerMetadata(given);
          assert.equal(pipeline, given["pipeline"]);
          assert.equal(stage, given["stage"]);
        } catch (error) {
          if (!(error instanceof Error) || error.name !== "VariscaleError") throw error;
          assert.match(error.message, /^trigger metadata: `/);
          assert.ok(error.message.length < 2000, error.message);
        }
      }),
    );
  });
});
