import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { StartFailures } from "../../../cli/up/start-failures.ts";
import type { NackCode } from "../../../domain/assignment.ts";
import { pipelineFixture } from "../../support/pipeline-fixture.ts";

const PIPELINE = pipelineFixture([{ name: "read", ladder: { light: [1, 0.85], heavy: [20, 0.97] } }]);
const VERSION = { epoch: 1, counter: 1 };

/** A report of a replica that serves nothing, by the states of its variants. */
function report(light: string, heavy: string, refused?: readonly [variant: string, code: NackCode]) {
  const describeVariant = (variant: string, state: string) => ({
    variant,
    state,
    reason: state === "quarantined" ? "no" : "",
  });
  const [variant, code] = refused ?? [];
  return {
    stage: "read",
    residentVariants: [] as string[],
    missingVariants: [] as string[],
    nack: variant && code ? { version: VERSION, variant, code, message: "no" } : null,
    variants: [describeVariant("light", light), describeVariant("heavy", heavy)],
  };
}

describe("StartFailures", () => {
  it("goes on as long as another variant loads, or has not had its turn", () => {
    const failures = new StartFailures(PIPELINE);
    for (let look = 0; look < 5; look++) {
      assert.equal(failures.look([], [report("quarantined", "absent", ["light", "model_invalid"])]), null);
      assert.equal(failures.look([], [report("quarantined", "loading", ["light", "model_invalid"])]), null);
    }
    assert.equal(failures.messages, "stage read: light can't be served: model_invalid: no");
  });

  it("ends at once where every variant was refused for good, also where their quarantines don't meet", () => {
    const failures = new StartFailures(PIPELINE);
    assert.equal(failures.look([], [report("quarantined", "loading", ["light", "model_invalid"])]), null);
    const last = report("absent", "quarantined", ["heavy", "golden_mismatch"]);
    assert.match(
      failures.look([], [last]) ?? "",
      /light can't .* model_invalid: no; stage read: heavy can't .* golden/,
    );
    assert.equal(failures.look([], [{ ...last, residentVariants: ["light"] }]), null);
  });

  it("ends nothing for a file that may still come, nor where the stage is ready", () => {
    const missing = report("quarantined", "quarantined", ["light", "model_missing"]);
    assert.equal(new StartFailures(PIPELINE).look([], [{ ...missing, missingVariants: ["light", "heavy"] }]), null);
    assert.equal(new StartFailures(PIPELINE).look(["read"], [missing]), null);
  });
});
