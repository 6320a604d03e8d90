import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type EndpointTable, ipcEndpoints, staticEndpoints } from "../../gateway/endpoint-source.ts";

describe("staticEndpoints()", () => {
  it("takes several endpoints a stage, IPv6 too", () => {
    let table: EndpointTable = {};
    staticEndpoints(["a=h:1", "b=[::1]:65535", "a=10.0.0.1:80"], ["a", "b"]).follow(next => {
      table = next;
    });
    assert.deepEqual(table, { a: [{ address: "h:1" }, { address: "10.0.0.1:80" }], b: [{ address: "[::1]:65535" }] });
  });

  it("takes the model that a replica has, where it is called otherwise than the stage", () => {
    let table: EndpointTable = {};
    staticEndpoints(["a=h:1/x=1", "a/light=h:1/y"], ["a"]).follow(next => {
      table = next;
    });
    assert.deepEqual(table, { a: [{ address: "h:1/x=1" }, { address: "h:1/y", voter: "light" }] });
  });

  it("takes the voter that a replica stands for", () => {
    let table: EndpointTable = {};
    staticEndpoints(["a/light=h:1", "a=h:2"], ["a"]).follow(next => {
      table = next;
    });
    assert.deepEqual(table, { a: [{ address: "h:1", voter: "light" }, { address: "h:2" }] });
  });

  it("refuses another form and another stage", () => {
    for (const flag of [
      "a",
      "a=",
      "a=h",
      "a=h:0",
      "a=h:65536",
      "a=http://h:1",
      "a=h:1/",
      "a=h:1/x/y",
      "a=::1:80",
      "=h:1",
    ])
      assert.throws(() => staticEndpoints([flag], ["a"]), { code: "invalid_argument" }, flag);
    assert.throws(
      () => staticEndpoints(["c=h:1"], ["a", "b"]),
      /stage that the pipeline does not have\. Write one of: a, b/,
    );
  });
});

describe("ipcEndpoints()", () => {
  const follow = () => {
    const channel = new EventEmitter();
    const tables: EndpointTable[] = [];
    const problems: string[] = [];
    const stop = ipcEndpoints(channel, problem => problems.push(problem)).follow(table => tables.push(table));
    return { channel, tables, problems, stop };
  };

  it("gives each table, an address once, and unknown things left out", () => {
    const { channel, tables, stop } = follow();
    const a = [
      { address: "h:1", x: 1 },
      { address: "h:1" },
      { address: "h:2", voter: 3 },
      { address: "h:3", voter: "v" },
    ];
    channel.emit("message", { kind: "endpoints", stages: { a } });
    channel.emit("message", { kind: "other" });
    stop();
    channel.emit("message", { kind: "endpoints", stages: {} });
    const voters = { "h:1": undefined, "h:2": undefined, "h:3": "v" };
    assert.deepEqual(tables, [{ a: Object.entries(voters).map(([address, voter]) => ({ address, voter })) }]);
  });

  it("reports a malformed message and keeps the last table", () => {
    const { channel, tables, problems } = follow();
    for (const stages of [
      null,
      1,
      { a: 1 },
      { a: [null] },
      { a: [{ address: "h" }] },
      { a: new Array(10_001).fill({ address: "h:1" }) },
    ])
      channel.emit("message", { kind: "endpoints", stages });
    assert.equal(problems.length, 6);
    assert.equal(tables.length, 0);
  });

  it("throws for no message whatsoever", () => {
    const { channel } = follow();
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (message, stages) => {
        channel.emit("message", message);
        channel.emit("message", { kind: "endpoints", stages });
        channel.emit("message", { kind: "endpoints", stages: { a: [stages] } });
      }),
    );
  });
});
