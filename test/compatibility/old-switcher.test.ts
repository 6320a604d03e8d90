import assert from "node:assert/strict";
import type { PackageDefinition } from "@grpc/proto-loader";
import { afterEach, beforeEach, describe, it } from "mocha";
import { loadProtoDefinition } from "../../runtime/grpc.ts";
import { FakeSwitcher } from "../scaler/support/fake-switcher.ts";
import { until } from "../scaler/support/manual-clock.ts";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { OldSwitcherControl, oldSwitcherDefinition } from "./old-switcher-control.ts";

interface Descriptor {
  readonly field?: readonly { readonly name: string; readonly number: number; readonly type: string }[];
}

/** The fields of all messages, as `variscale.switcher.v1.Hello.stage`, with their numbers and types on the wire. */
function readFields(definition: PackageDefinition): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [name, part] of Object.entries(definition)) {
    const { field = [] } = "type" in part ? (part.type as Descriptor) : {};
    for (const { name: fieldName, ...wire } of field) fields.set(`${name}.${fieldName}`, JSON.stringify(wire));
  }
  return fields;
}

describe("a switcher of version 0.1.0", () => {
  let running: RunningScaler;
  let old: FakeSwitcher;

  beforeEach(async () => {
    running = await RunningScaler.start();
    old = new FakeSwitcher(running.scaler.ports.switchers, {}, true, null, OldSwitcherControl);
  });
  afterEach(async () => {
    old.close();
    await running.close();
  });

  const view = () => running.scaler.switchers(running.pipeline.key)[0];

  it("is told what to serve in fields that it knows, and counts as ready by what it reports", async () => {
    await running.planFor(20);
    await until(() => old.assignments.length > 0, "an assignment");
    const { newest } = old;
    const stage = running.pipeline.stages.find(({ name }) => name === "detect");
    const variants = stage?.variants.map(({ name }) => name) ?? [];
    assert.ok(newest && variants.includes(newest.variant) && variants.includes(newest.fallbackVariant));
    assert.ok(newest.batch >= 1 && newest.maxWaitMs >= 0 && newest.decisionId !== "");
    assert.ok((newest.version?.counter ?? 0) > 0 && (newest.overload?.enterQueueMs ?? 0) > 0);
    old.ack();
    await running.runUntil(
      board => board.stages.find(one => one.stage === "detect")?.replicasReady === 1,
      () => old.report(),
    );
    assert.deepEqual([view()?.variant, view()?.applied.counter], [old.newest?.variant, old.newest?.version?.counter]);
  });

  it("is told another variant once it has refused one, and ends well when the scaler ends", async () => {
    await running.planFor(20);
    await until(() => old.assignments.length > 0, "an assignment");
    const refused = old.newest?.variant;
    old.nack("model_invalid");
    await running.runUntil(
      () => old.newest?.variant !== refused,
      () => old.report({ variant: "light" }),
    );
    await running.scaler.close();
    assert.equal((await old.endedWith()).code, 0);
  });

  it("finds every field of its messages where it knows it: fields are only added", () => {
    const now = readFields(loadProtoDefinition("switcher.proto"));
    const before = readFields(oldSwitcherDefinition);
    assert.ok(before.size > 60);
    for (const [field, wire] of before) assert.equal(now.get(field), wire, field);
  });
});
