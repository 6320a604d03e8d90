import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

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
});
