import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

const MIB = 1024 * 1024;

describe("the driver remote, where its server fails", () => {
  let folder: TestFolder;
  let server: FakeModelServer;
  let switcher: TestSwitcher | undefined;

  beforeEach(async () => {
    folder = new TestFolder();
    server = await FakeModelServer.start();
  });
  afterEach(async () => {
    await switcher?.close();
    switcher = undefined;
    await server.close();
    folder.delete();
  });

  const start = async (defaultVariant: "far" | "a") => {
    const [own] = affineConfig(folder.path)["variants"] as object[];
    const variants = [own, { name: "far", driver: "remote", model: "x", url: server.url }];
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { variants, defaultVariant }), {
      minWatchdogMs: 2000,
    });
    return switcher;
  };
  const recoveries = async () => (await switcher?.switches())?.filter(({ cause }) => cause === "recovery").length;

  for (const [name, missing] of [
    ["404", { status: 404, json: { error: "Model x not found" } }],
    ["400, as Triton has it", { status: 400, json: { error: "Request for unknown model: 'x' is not found" } }],
  ] as const)
    it(`loads the model again that a restarted server answers ${name}, and answers all the same`, async () => {
      const started = await start("far");
      server.missing = missing;
      server.isLoaded = false;
      const { status, body } = await started.infer([3]);
      assert.deepEqual([status, body.outputs?.[0]?.data], [200, [1, 2]], body.error);
      assert.equal(await recoveries(), 1);
      await started.untilReady();
      assert.ok(server.isLoaded);
    });

  it("answers all the same where the server of a lighter rung was restarted too", async () => {
    const other = await FakeModelServer.start();
    try {
      const variants = [server, other].map(({ url }, at) => {
        return { name: `far${at}`, driver: "remote", model: "x", url, points: [{ batch: 1, latencyMs: 2 - at }] };
      });
      switcher = await TestSwitcher.startReady(affineConfig(folder.path, { variants, defaultVariant: "far0" }), {
        minWatchdogMs: 2000,
      });
      const states = async () => Object.values((await switcher?.variants()) ?? {}).map(({ state }) => state);
      await until(async () => (await states()).join() === "serving,resident", "both are in memory");
      for (const restarted of [server, other]) restarted.isLoaded = false;
      const { status, body } = await switcher.infer([3]);
      assert.equal(status, 200, body.error);
    } finally {
      await other.close();
    }
  });

  describe("and nobody waits for its answers", () => {
    const infer = async () => (await switcher?.infer([3], { parameters: { timeout_ms: 200 } }))?.status;

    it("breaks calls off, learns no times from them, and gives it up when it does not answer with all its time", async () => {
      const started = await start("far");
      const { answer } = server;
      const countBatches = async () =>
        [...(await started.metrics()).matchAll(/^variscale_switcher_batches_total\{.*\} (\d+)$/gm)]
          .map(([, count]) => Number(count))
          .reduce((sum, count) => sum + count, 0);
      assert.equal(await infer(), 200);
      assert.equal(await countBatches(), 1);
      server.answer = null;
      assert.equal(await infer(), 504);
      assert.equal(await countBatches(), 1);
      server.answer = answer;
      assert.equal(await infer(), 200);
      server.answer = null;
      let calls = 0;
      while ((await recoveries()) === 0) {
        await infer();
        calls += 1;
      }
      assert.ok(calls >= 10, `${calls} calls of 200 ms are two seconds`);
    });

    it("does not give it up while it is slow alone", async () => {
      await start("far");
      server.inferMs = () => 300;
      for (let call = 0; call < 25; call += 1) await infer();
      assert.equal(await recoveries(), 0);
    });
  });

  for (const status of [400, 422])
    it(`answers 400 where a server that has the model answers ${status}`, async () => {
      const started = await start("far");
      server.answer = { status, json: { error: "unexpected shape" } };
      const { status: found, body } = await started.infer([3]);
      assert.deepEqual([found, body.code], [400, "invalid_argument"]);
      assert.match(body.error ?? "", /can't run on this input: 4.. .*unexpected shape/);
      assert.equal(await recoveries(), 0);
    });

  for (const status of [429, 500, 503])
    it(`answers 503 with Retry-After where a server that has the model answers ${status}, and keeps the session`, async () => {
      const started = await start("far");
      server.answer = { status, json: { error: "busy" } };
      const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }];
      const response = await fetch(started.inferUrl, { method: "POST", body: JSON.stringify({ inputs }) });
      assert.equal(response.status, 503);
      assert.equal(response.headers.get("retry-after"), "1");
      const { code, error } = (await response.json()) as { code: string; error: string };
      assert.equal(code, "unavailable");
      assert.match(error, new RegExp(`answered ${status} .*busy`));
      assert.match(await started.metrics(), /dropped_rows_total\{.*reason="remote_failed".*\} 1/);
      assert.equal(await recoveries(), 0);
      assert.deepEqual([server.loads, server.isLoaded], [1, true]);
    });

  it("answers 503 where the server's answer breaks the protocol", async () => {
    const started = await start("far");
    server.answer = { status: 200, json: { outputs: "none" } };
    const { status, body } = await started.infer([3]);
    assert.equal(status, 503);
    assert.match(body.error ?? "", /breaks the protocol: it has no outputs/);
  });

  for (const [what, endless] of [
    ["a model's description", "/v2/models/x"],
    ["a load", "/load"],
  ] as const)
    it(`gives up on the answer to ${what} that has no end, and leaves the server as it was`, async () => {
      server.endless = endless;
      const started = await start("a");
      assert.match(await (await started.pin("far")).text(), /the answer has more than 1048576 bytes/);
      // Sockets hold some megabytes at most.
      assert.ok(server.endlessBytes < 32 * MIB, `${server.endlessBytes} bytes were written`);
      await started.close();
      await until(() => server.done.includes("unload"), "unloaded");
    });

  it("answers 503 where the answer to inference is too long, and keeps the session", async () => {
    const started = await start("far");
    server.announcedBytes = 256 * MIB + 1;
    const { status, body } = await started.infer([3]);
    assert.equal(status, 503);
    assert.match(body.error ?? "", /the answer has more than 268435456 bytes/);
    server.announcedBytes = null;
    assert.equal((await started.infer([3])).status, 200);
    assert.deepEqual([await recoveries(), server.loads], [0, 1]);
  });

  /** A load of `far` that a pin of `a` overtakes. */
  const superseded = async (started: TestSwitcher): Promise<() => void> => {
    let end = (): void => undefined;
    server.loading = new Promise(resolve => {
      end = resolve;
    });
    const pin = started.pin("far");
    await until(() => server.loads === 1, "loading");
    assert.equal((await started.pin("a")).status, 200);
    assert.match(await (await pin).text(), /"code":"superseded"/);
    return end;
  };

  it("unloads what a load that was given up leaves on the server, once it is loaded", async () => {
    const end = await superseded(await start("a"));
    assert.deepEqual(server.done, []);
    end();
    await until(() => server.done.length === 2, "unloaded");
    assert.deepEqual([server.done, server.isLoaded], [["load", "unload"], false]);
  });

  it("keeps what it needs again by the time that a load which was given up has ended", async () => {
    const started = await start("a");
    const end = await superseded(started);
    const again = started.pin("far");
    await until(async () => (await started.variants())["far"]?.state === "loading", "loading again");
    end();
    assert.equal((await again).status, 200);
    assert.ok(server.isLoaded);
    assert.deepEqual((await started.infer([3])).body.outputs?.[0]?.data, [1, 2]);
    assert.ok(!server.done.includes("unload"));
  });

  /** Requests to the server other than inference. */
  const control = () => server.done.filter(what => what !== "infer");

  it("unloads at its end what it had loaded", async () => {
    await (await start("far")).close();
    assert.deepEqual([control(), server.isLoaded], [["load", "unload"], false]);
  });

  it("does not load a model that was there before, and leaves it there", async () => {
    server.isLoaded = true;
    const started = await start("far");
    assert.equal((await started.pin("a")).status, 200);
    assert.equal((await started.pin("far")).status, 200);
    await started.close();
    assert.deepEqual([control(), server.isLoaded], [[], true]);
  });

  it("leaves a model there that breaks the contract, and unloads one that it had loaded to find out", async () => {
    server.metadata = { inputs: [{ name: "z", datatype: "FP32", shape: [-1, 2] }], outputs: [] };
    for (const before of [false, true]) {
      server.isLoaded = before;
      const started = await start("a");
      assert.match(await (await started.pin("far")).text(), /contract_mismatch/);
      await started.close();
      await until(() => server.isLoaded === before, "as it was found");
    }
    assert.deepEqual(control(), ["load", "unload"]);
  });

  it("unloads nothing where the server refused to load", async () => {
    server.refusal = { status: 400, json: { error: "explicit model load / unload is not allowed" } };
    const started = await start("a");
    assert.match(await (await started.pin("far")).text(), /model_invalid/);
    await started.close();
    assert.deepEqual(control(), []);
  });

  it("leaves a model there that was there before its server was started anew", async () => {
    server.isLoaded = true;
    const started = await start("far");
    server.isLoaded = false;
    assert.equal((await started.infer([3])).status, 200);
    await started.close();
    assert.deepEqual([control(), server.isLoaded], [["load"], true]);
  });
});
