import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";
import { MlServer } from "./mlserver.ts";
import { pythonEnvironment } from "./python.ts";

describe("the driver remote with an MLServer", () => {
  const folder = new TestFolder();
  const models = new TestFolder();
  let server: MlServer;
  let switcher: TestSwitcher;

  before(async () => {
    for (const [name, [scale, offset]] of Object.entries({ double: [2, 1], triple: [3, 5] })) {
      mkdirSync(join(models.path, name));
      const tensor = (of: string) => [{ name: of, datatype: "FP32", shape: [-1, 2] }];
      const settings = {
        name,
        implementation: "affine_model.AffineModel",
        inputs: tensor("x"),
        outputs: tensor("y"),
        parameters: { extra: { scale, offset } },
      };
      writeFileSync(join(models.path, name, "model-settings.json"), JSON.stringify(settings));
    }
    server = await MlServer.start({
      folder: models.path,
      python: pythonEnvironment(),
      code: join(packageFolder, "test/clients/mlserver/affine_model.py"),
      models: ["double", "triple"],
      atStart: false,
      core: null,
    });
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

  it("loads again what the server does not have any more, and fails nothing", async () => {
    const served = (await switcher.infer([3])).body.model_version ?? "";
    const unload = await fetch(`${server.url}/v2/repository/models/${served}/unload`, { method: "POST", body: "{}" });
    assert.ok(unload.ok);
    const { status, body } = await switcher.infer([3]);
    assert.equal(status, 200, body.error);
    assert.equal((await switcher.switches()).at(-1)?.cause, "recovery");
  });

  it("unloads what it gives up", async () => {
    await switcher.close();
    await until(async () => (await server.loaded()).length === 0, "unloaded");
  });

  it("leaves loaded what was so before", async () => {
    const load = await fetch(`${server.url}/v2/repository/models/triple/load`, { method: "POST", body: "{}" });
    assert.ok(load.ok);
    const variants = [{ name: "triple", driver: "remote", model: "triple", url: server.url }];
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { variants, defaultVariant: "triple" }));
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [14, 14]);
    await switcher.close();
    assert.deepEqual(await server.loaded(), ["triple"]);
  });
});
