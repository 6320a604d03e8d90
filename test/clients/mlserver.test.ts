import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";
import { MlServer } from "./mlserver.ts";

describe("the driver remote with an MLServer", () => {
  const folder = new TestFolder();
  const models = new TestFolder();
  let server: MlServer;
  let switcher: TestSwitcher;

  before(async () => {
    server = await MlServer.start(models.path, { double: [2, 1], triple: [3, 5] });
    const variants = ["double", "triple"].map(model => ({
      name: model,
      driver: "remote",
      model,
      url: server.url,
      memoryMiB: 6000,
    }));
    // Room for one of them beside the one that serves.
    const above = { variants, defaultVariant: "double", memoryMiB: 13_000 };
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, above));
  });
  after(async () => {
    await switcher.close();
    await server.stop();
    folder.delete();
    models.delete();
  });

  it("loads, verifies, warms and serves its models", async () => {
    assert.deepEqual(await server.loaded(), ["double"]);
    assert.deepEqual((await switcher.infer([3, 4])).body.outputs?.[0]?.data, [7, 7, 9, 9]);
    assert.deepEqual(
      (await switcher.switches())[0]?.steps.map(({ step }) => step),
      ["load", "verify", "warm", "swap"],
    );
  });

  it("switches between them under load, and fails nothing", async () => {
    const seen = new Set<string | undefined>();
    let running = true;
    const client = async (): Promise<void> => {
      while (running) {
        const { status, body } = await switcher.infer([3]);
        assert.equal(status, 200, body.error);
        const expected = body.model_version === "double" ? 7 : 14;
        assert.deepEqual(body.outputs?.[0]?.data, [expected, expected]);
        seen.add(body.model_version);
      }
    };
    const clients = [client(), client(), client()];
    for (let i = 0; i < 6; i++) assert.equal((await switcher.pin(["triple", "double"][i % 2] ?? "", 4)).status, 200);
    running = false;
    await Promise.all(clients);
    assert.deepEqual([...seen].toSorted(), ["double", "triple"]);
  });

  it("unloads what it gives up", async () => {
    await switcher.close();
    await until(async () => (await server.loaded()).length === 0, "unloaded");
  });
});
