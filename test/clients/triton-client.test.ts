import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { writeModel } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { TENSORS_CONTRACT, tensorsModel } from "../support/tensors-stage.ts";
import { runPython } from "./python.ts";

describe("Triton's Python client", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;

  // A variant that one client has loaded stays in memory, and another one would find it ready.
  beforeEach(async () => {
    switcher = await TestSwitcher.startReady({
      ...affineConfig(folder.path),
      stage: "tensors",
      contract: TENSORS_CONTRACT,
      variants: ["echo", "other"].map(name => writeModel(folder.path, name, tensorsModel())),
      defaultVariant: "echo",
      modelControl: "explicit",
    });
  });
  afterEach(async () => {
    await switcher.close();
    folder.delete();
  });

  for (const transport of ["http", "grpc"] as const)
    it(`works as it is over ${transport}`, async () => {
      const { code, text } = await runPython(
        "triton_client.py",
        transport,
        `127.0.0.1:${switcher.switcher.ports[transport]}`,
      );
      assert.equal(code, 0, text);
      assert.match(text, /done\n$/);
    });
});
