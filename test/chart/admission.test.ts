import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { ID_CARD, type KubernetesObject, named, refusal, render } from "./helm.ts";

const NAME = "variscale.shop.triggers.variscale.dev";
const ENABLED = [...ID_CARD, "--set=admissionPolicy.enabled=true"];

const messagesOf = (objects: readonly KubernetesObject[]): readonly string[] =>
  named(objects, "ValidatingAdmissionPolicy", NAME).spec.validations.map(
    ({ message, messageExpression }: KubernetesObject) => message ?? messageExpression,
  );

// What it refuses is tried on a real API server: test/cluster/chart-options.test.ts.
describe("the chart's admission policy", () => {
  it("is off by default: it belongs to the whole cluster", () => {
    assert.ok(!render(...ID_CARD).some(({ kind }) => kind.startsWith("ValidatingAdmission")));
  });

  it("is of one release alone, and bound", () => {
    const objects = render(...ENABLED, "--set=admissionPolicy.actions={Warn,Audit}");
    const binding = named(objects, "ValidatingAdmissionPolicyBinding", NAME);
    assert.equal(binding.spec.policyName, NAME);
    assert.deepEqual(binding.spec.validationActions, ["Warn", "Audit"]);
    const { matchConditions } = named(objects, "ValidatingAdmissionPolicy", NAME).spec;
    assert.match(JSON.stringify(matchConditions), /variscale-scaler\.shop\.svc\.cluster\.local/);
  });

  it("says of each rule which field must change", () => {
    const messages = messagesOf(render(...ENABLED));
    assert.ok(messages.length > 8);
    for (const message of messages) assert.match(message, /^"?spec\.[\w[\].]+:/);
  });

  it("asks for certificates where the scaler does", () => {
    const asks = (values: readonly string[]) =>
      messagesOf(render(...values)).some(one => one.includes('enableTLS "true"'));
    assert.equal(asks(ENABLED), false);
    assert.equal(asks([...ENABLED, "--set=tls.mode=certManager"]), true);
  });

  it("refuses to do nothing", () => {
    assert.match(refusal(...ENABLED, "--set-json=admissionPolicy.actions=[]"), /admissionPolicy\/actions/);
  });
});
