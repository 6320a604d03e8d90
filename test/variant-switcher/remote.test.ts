import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { encodeBytesElements } from "../../variant-switcher/bytes-elements.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { decodeRemoteResponse } from "../../variant-switcher/remote-codec.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("the driver remote", () => {
  let folder: TestFolder;
  const running: { close(): Promise<void> }[] = [];

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.close();
    folder.delete();
  });

  const url = (port: number) => `http://127.0.0.1:${port}`;
  /** Another server of the protocol, with the repository extension: a switcher itself. */
  const startRemote = async (above: Record<string, unknown> = {}) => {
    const remote = await TestSwitcher.startReady(affineConfig(folder.path, { modelControl: "explicit", ...above }));
    running.push(remote);
    return remote;
  };
  const start = async (variants: readonly object[], options: { minWatchdogMs?: number } = {}) => {
    const [first] = variants as readonly { name: string }[];
    const config = affineConfig(folder.path, { variants, defaultVariant: first?.name });
    const switcher = await TestSwitcher.start(config, options);
    running.unshift(switcher);
    return switcher;
  };

  it("serves from another server, beside variants of its own, and switches between them", async () => {
    const remote = await startRemote();
    const own = affineConfig(folder.path)["variants"] as object[];
    const far = { name: "far", driver: "remote", model: "affine", url: url(remote.switcher.ports.http) };
    const switcher = await start([far, own[2] ?? {}]);
    await switcher.untilReady();
    const answer = await switcher.infer([3, 4]);
    assert.deepEqual([answer.body.model_version, answer.body.outputs?.[0]?.data], ["far", [7, 7, 9, 9]]);
    assert.equal((await switcher.pin("c")).status, 200);
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [30, 30]);
    assert.equal((await switcher.pin("far", 8)).status, 200);
    assert.deepEqual((await switcher.infer([5])).body.outputs?.[0]?.data, [11, 11]);
    const metadata = (await (await switcher.http("/v2/models/affine")).json()) as { platform: string };
    assert.equal(metadata.platform, "variscale_remote");
  });

  it("refuses a model that the server does not have, and one with another contract", async () => {
    const remote = await startRemote();
    const own = affineConfig(folder.path)["variants"] as object[];
    const at = url(remote.switcher.ports.http);
    const switcher = await start([own[0] ?? {}, { name: "none", driver: "remote", model: "none", url: at }]);
    await switcher.untilReady();
    const refused = await switcher.pin("none");
    assert.equal(refused.status, 409);
    assert.match(await refused.text(), /"none can't be loaded by http:.*404.*model_missing/);
    assert.equal((await switcher.infer([3])).body.model_version, "a");
  });

  it("notices that the server is gone, goes to a variant of its own, and comes back", async () => {
    const remote = await startRemote();
    const { http } = remote.switcher.ports;
    const own = affineConfig(folder.path)["variants"] as object[];
    const switcher = await start([{ name: "far", driver: "remote", model: "affine", url: url(http) }, own[1] ?? {}]);
    await switcher.untilReady();
    assert.equal((await switcher.infer([3])).body.model_version, "far");
    await switcher.pin("b");
    await switcher.pin("far");
    running.splice(running.indexOf(remote), 1);
    await remote.close();
    const answers = await Promise.all([1, 2, 3].map(row => switcher.infer([row])));
    for (const { status, body } of answers)
      assert.ok(status === 200 && body.model_version === "b", JSON.stringify(body));
    assert.equal((await switcher.variants())["far"]?.state, "quarantined");
    assert.match((await switcher.variants())["far"]?.reason ?? "", /does not answer/);
    await startRemote({ ports: { http, grpc: 0, admin: 0, metrics: 0 } });
    await until(async () => (await switcher.infer([3])).body.model_version === "far", "back");
  });

  it("is told of a hang by the watchdog", async () => {
    let hangs = 0;
    const outputs = [{ name: "y", datatype: "FP32", shape: [1, 2], data: [1, 2] }];
    const server = createServer((request, response) => {
      if (!request.url?.endsWith("/infer")) response.end("{}");
      else if (hangs > 0) hangs--;
      else response.end(JSON.stringify({ outputs }));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    running.push({
      close: async () => {
        server.closeAllConnections();
        await new Promise(resolve => server.close(resolve));
      },
    });
    const far = { name: "far", driver: "remote", model: "x", url: url((server.address() as AddressInfo).port) };
    const switcher = await start([far], { minWatchdogMs: 1000 });
    await switcher.untilReady();
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [1, 2]);
    hangs = 1;
    const { status, body } = await switcher.infer([3]);
    assert.equal(status, 200, body.error);
    assert.equal((await switcher.switches()).filter(({ cause }) => cause === "recovery").length, 1);
  });

  it("is allowed on the loopback interface alone", () => {
    for (const address of [
      "http://10.0.0.1:8000",
      "https://127.0.0.1:1",
      "http://127.0.0.1",
      "http://127.0.0.1.evil:80",
    ]) {
      const variants = [{ name: "far", driver: "remote", model: "x", url: address }];
      const config = affineConfig(folder.path, { variants, defaultVariant: "far" });
      assert.throws(() => parseSwitcherConfig(config), /url .* must be an http:\/\/ address on the loopback interface/);
    }
  });

  it("takes no binary output of another size than its shape and datatype have", () => {
    const decode = (datatype: string, shape: readonly number[], bytes: Uint8Array) => {
      const output = { name: "y", datatype, shape, parameters: { binary_data_size: bytes.length } };
      const head = Buffer.from(JSON.stringify({ outputs: [output] }));
      return decodeRemoteResponse(Buffer.concat([head, bytes]), head.length)[0]?.bytes.length;
    };
    const text = encodeBytesElements([Buffer.from("ab"), Buffer.from("")]);
    assert.deepEqual(
      [decode("FP32", [1, 2], Buffer.alloc(8)), decode("FP16", [3, 1], Buffer.alloc(6)), decode("BYTES", [2], text)],
      [8, 6, 10],
    );
    for (const [datatype, shape, bytes, rule] of [
      ["FP32", [1, 2], Buffer.alloc(4), /"y" has 4 bytes, FP32 of the shape \[1,2\] has 8/],
      ["FP32", [1, 2], Buffer.alloc(12), /"y" has 12 bytes, FP32 of the shape \[1,2\] has 8/],
      ["BYTES", [3], text, /"y" has 2 elements, BYTES of the shape \[3\] has 3/],
      ["BYTES", [2], text.subarray(0, 9), /"y": BYTES element 1 is cut off/],
    ] as const)
      assert.throws(() => decode(datatype, shape, bytes), rule);
  });

  it("decodes any answer or says that it breaks the protocol", () => {
    const near = fc.record(
      {
        outputs: fc.oneof(
          fc.jsonValue(),
          fc.array(
            fc.record(
              {
                name: fc.jsonValue(),
                datatype: fc.constantFrom("FP32", "BYTES", "FP16", "x"),
                shape: fc.oneof(fc.array(fc.integer({ min: -1, max: 3 })), fc.jsonValue()),
                data: fc.oneof(fc.array(fc.double()), fc.jsonValue()),
                parameters: fc.oneof(fc.record({ binary_data_size: fc.jsonValue() }), fc.jsonValue()),
              },
              { requiredKeys: [] },
            ),
          ),
        ),
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      fc.uint8Array().map(bytes => Buffer.from(bytes)),
      near.map(json => Buffer.from(JSON.stringify(json))),
    );
    fc.assert(
      fc.property(body, fc.oneof(fc.constant(null), fc.integer({ min: -1, max: 200 })), (bytes, headerBytes) => {
        try {
          decodeRemoteResponse(bytes, headerBytes);
        } catch (error) {
          assert.ok(error instanceof VariscaleError && error.code === "internal", String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
