import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { affineModel } from "../support/models.ts";
import { affineConfig, errorOf, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

describe("the model repository", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;
  const post = (path: string, body: object | string = "") =>
    switcher.http(`/v2/repository/${path}`, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const start = async (modelControl?: string) => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { ...(modelControl && { modelControl }) }));
  };

  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  it("lists the variants as versions, and only what is ready where that is asked for", async () => {
    await start();
    const all = await (await post("index")).json();
    assert.deepEqual(all, [
      { name: "affine", version: "a", state: "READY", reason: "" },
      { name: "affine", version: "b", state: "UNAVAILABLE", reason: "absent" },
      { name: "affine", version: "c", state: "UNAVAILABLE", reason: "absent" },
    ]);
    assert.equal(((await (await post("index", { ready: true })).json()) as unknown[]).length, 1);
    assert.equal((await post("index", { ready: 1 })).status, 400);
  });

  it("loads and unloads nothing unless the operator allows it", async () => {
    await start();
    for (const verb of ["load", "unload"]) {
      const response = await post(`models/affine/${verb}`, { parameters: { variant: "b" } });
      assert.equal(response.status, 403);
      assert.match(await errorOf(response), /set modelControl to explicit/);
    }
    assert.equal((await switcher.infer([1])).body.model_version, "a");
  });

  it("takes a load for a pin, and the scaler learns of it", async () => {
    await start("explicit");
    const response = await post("models/affine/load", { parameters: { variant: "b" } });
    assert.equal(response.status, 200, await response.text());
    assert.equal((await switcher.infer([1])).body.model_version, "b");
    const { pin } = (await (await switcher.admin("assignment")).json()) as { pin: { variant: string } };
    assert.equal(pin.variant, "b");
  });

  it("reads the file of a loaded variant anew, and fails no request meanwhile", async () => {
    await start("explicit");
    let running = true;
    const seen = new Set<number | undefined>();
    const client = (async () => {
      while (running) {
        const { status, body } = await switcher.infer([3]);
        assert.equal(status, 200, body.error);
        seen.add(body.outputs?.[0]?.data[0]);
      }
    })();
    for (let i = 0; i < 10; i++) assert.equal((await post("models/affine/load")).status, 200);
    running = false;
    await client;
    assert.deepEqual([...seen], [7]);
    const reloads = (await switcher.switches()).filter(({ cause }) => cause === "reload");
    assert.deepEqual([...new Set(reloads.map(({ from, to, outcome }) => [from, to, outcome].join()))], ["a,a,done"]);
    assert.equal(reloads.length, 10);
    assert.deepEqual(
      reloads[0]?.steps.map(({ step }) => step),
      ["load", "verify", "warm", "swap"],
    );
    assert.match(await switcher.metrics(), /resident_sessions\{stage="affine"\} 1\n/);
  });

  it("keeps the session that serves when the file is not what it should be any more", async () => {
    await start("explicit");
    writeFileSync(join(folder.path, "a.onnx"), affineModel(5, 5));
    const response = await post("models/affine/load");
    assert.equal(response.status, 409);
    assert.match(await errorOf(response), /sha256_mismatch: a\.onnx: sha256 is/);
    assert.deepEqual((await switcher.infer([3])).body.outputs?.[0]?.data, [7, 7]);
  });

  it("frees what does not serve, and refuses to be left without a model", async () => {
    await start("explicit");
    await post("models/affine/load", { parameters: { variant: "b" } });
    const refused = await post("models/affine/unload", {});
    assert.equal(refused.status, 412);
    assert.match(await errorOf(refused), /serves b and is never left without a model/);
    assert.equal(
      (await post("models/affine/unload", { parameters: { variant: "a", unload_dependents: true } })).status,
      200,
    );
    assert.equal((await switcher.variants())["a"]?.state, "absent");
  });

  it("frees no session that has a batch", async () => {
    const points = [{ batch: 1, latencyMs: 500 }];
    const variants = ["a", "b"].map(name => ({ driver: "emulated", name, points }));
    switcher = await TestSwitcher.startReady(affineConfig(folder.path, { variants, modelControl: "explicit" }));
    await post("models/affine/load", { parameters: { variant: "b" } });
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 1] }];
    const init = { method: "POST", body: JSON.stringify({ inputs }) };
    const answer = switcher.http("/v2/models/affine/versions/a/infer", init);
    await sleep(100);
    const unload = () => post("models/affine/unload", { parameters: { variant: "a" } });
    const refused = await unload();
    assert.equal(refused.status, 412);
    assert.match(await errorOf(refused), /runs a batch of a right now/);
    assert.equal((await answer).status, 200);
    assert.equal((await unload()).status, 200);
  });

  it("keeps a rung away that was unloaded", async () => {
    await start("explicit");
    await post("models/affine/load", { parameters: { variant: "b" } });
    await post("models/affine/unload", { parameters: { variant: "a" } });
    await sleep(1500);
    assert.equal((await switcher.variants())["a"]?.state, "absent");
  });

  for (const [parameters, status, message] of [
    [{ variant: "z" }, 404, /no version z, only a, b, c/],
    [{ variant: 7 }, 400, /load: variant is 7; it must be text/],
    [{ config: "{" }, 400, /config is no JSON/],
    [
      { config: '{"version_policy":{"specific":{"versions":["a","b"]}}}' },
      400,
      /version_policy\.specific\.versions is .* it must be a list of 1 to 1/,
    ],
    [{ config: '{"version_policy":{"all":{}}}' }, 400, /versions is missing/],
    [{ "file:1/model.onnx": "" }, 400, /file:1\/model\.onnx is not known; models come from the model folder/],
  ] as const)
    it(`refuses to load with ${JSON.stringify(parameters)}`, async () => {
      await start("explicit");
      const response = await post("models/affine/load", { parameters });
      assert.equal(response.status, status);
      assert.match(await errorOf(response), message);
    });
});
