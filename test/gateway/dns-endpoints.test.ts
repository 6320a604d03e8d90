import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { dnsEndpoints, isNamedEndpoint } from "../../gateway/dns-endpoints.ts";
import type { EndpointTable } from "../../gateway/endpoint-source.ts";
import { NameServer } from "./name-server.ts";

describe("dnsEndpoints()", () => {
  let server: NameServer;
  let stop: () => void = () => undefined;
  const tables: EndpointTable[] = [];
  const problems: string[] = [];

  beforeEach(async () => {
    server = await NameServer.start(["10.0.0.2", "10.0.0.1"]);
    tables.length = 0;
    problems.length = 0;
  });

  afterEach(async () => {
    stop();
    await server.close();
  });

  const follow = (flags: readonly string[], stages: readonly string[]): void => {
    const options = {
      intervalMs: 5,
      servers: [server.address],
      onProblem: (problem: string) => problems.push(problem),
    };
    stop = dnsEndpoints(flags, stages, options).follow(table => tables.push(table));
  };
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise(resolve => setTimeout(resolve, 2));
  };
  const addresses = (stage: string): string[] => (tables.at(-1)?.[stage] ?? []).map(endpoint => endpoint.address);

  it("gives every address of the name as a replica, beside those that never change", async () => {
    follow(["a=dns:pods.shop.svc:8000", "b=10.1.0.1:80"], ["a", "b"]);
    await until(() => tables.length > 0);
    assert.deepEqual(addresses("a"), ["10.0.0.1:8000", "10.0.0.2:8000"]);
    assert.deepEqual(addresses("b"), ["10.1.0.1:80"]);
  });

  it("gives each address the model that the flag names", async () => {
    follow(["a=dns:pods.shop.svc:8000/digits"], ["a"]);
    await until(() => tables.length > 0);
    assert.deepEqual(addresses("a"), ["10.0.0.1:8000/digits", "10.0.0.2:8000/digits"]);
  });

  it("gives the addresses of a voter's name as its replicas", async () => {
    follow(["a/light=dns:pods.shop.svc:8000"], ["a"]);
    await until(() => tables.length > 0);
    assert.deepEqual(tables.at(-1)?.["a"], [
      { address: "10.0.0.1:8000", voter: "light" },
      { address: "10.0.0.2:8000", voter: "light" },
    ]);
  });

  it("tells of a change and of nothing else, whatever order the name server answers in", async () => {
    follow(["a=dns:pods.shop.svc:8000"], ["a"]);
    await until(() => tables.length > 0);
    server.addresses = ["10.0.0.1", "10.0.0.2"];
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.equal(tables.length, 1);
    server.addresses = ["10.0.0.3"];
    await until(() => tables.length > 1);
    assert.deepEqual(addresses("a"), ["10.0.0.3:8000"]);
  });

  it("has no replica when the name has no address, and keeps the last ones when the name server fails", async () => {
    follow(["a=dns:pods.shop.svc:8000"], ["a"]);
    await until(() => tables.length > 0);
    server.addresses = null;
    await until(() => problems.length > 0);
    assert.deepEqual(addresses("a"), ["10.0.0.1:8000", "10.0.0.2:8000"]);
    server.addresses = [];
    await until(() => tables.length > 1);
    assert.deepEqual(tables.at(-1), { a: [] });
    assert.deepEqual(problems, ["pods.shop.svc can't be resolved; its last addresses stay"]);
  });

  it("says nothing of any stage before all names were answered", async () => {
    server.addresses = null;
    follow(["a=dns:pods.shop.svc:8000", "b=10.1.0.1:80"], ["a", "b"]);
    await until(() => problems.length > 0);
    assert.deepEqual(tables, []);
  });

  it("refuses another form and another stage", () => {
    assert.ok(isNamedEndpoint("a=dns:h:1") && !isNamedEndpoint("a=h:1"));
    for (const flag of ["a=dns:", "a=dns:h", "a=dns:h:0", "a=dns://h:1", "c=dns:h:1"])
      assert.throws(() => follow([flag], ["a", "b"]), { code: "invalid_argument" }, flag);
  });
});
