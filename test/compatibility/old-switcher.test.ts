import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { afterEach, beforeEach, describe, it } from "mocha";
import { loadProtoDefinition } from "../../runtime/grpc.ts";
import { FakeSwitcher } from "../scaler/support/fake-switcher.ts";
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
    const hello = { protocolVersions: [1] };
    old = new FakeSwitcher(running.scaler.ports.switchers, hello, true, null, OldSwitcherControl);
  });
  afterEach(async () => {
    old.close();
    await running.close();
  });

  it("is refused with what to do, and is told nothing: it serves what it was told last", async () => {
    await running.planFor(20);
    const { code, details } = await old.endedWith();
    assert.equal(code, status.FAILED_PRECONDITION);
    assert.match(
      details,
      /the switcher speaks protocol 1 and the scaler 2: upgrade the one that is older; the switcher serves/,
    );
    assert.deepEqual(old.assignments, []);
    assert.deepEqual(running.scaler.switchers(running.pipeline.key), []);
  });

  it("finds the fields of its hello where it knows them, so that it can be refused with a reason", () => {
    const now = readFields(loadProtoDefinition("switcher.proto"));
    const before = [...readFields(oldSwitcherDefinition)].filter(([field]) => /\.(Hello|Version|Nack)\./.test(field));
    assert.ok(before.length > 15, String(before.length));
    for (const [field, wire] of before) assert.equal(now.get(field), wire, field);
  });
});
