import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { TestFolder } from "../../support/switcher-harness.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";
import { UpProcess } from "../support/up-process.ts";

const STACK_TRACE = /^\s+at /m;

describe("variscale up, when it can't start or is stopped while it does", () => {
  let folder: TestFolder;
  let up: UpProcess | null;
  let blocker: Server | null;

  beforeEach(() => {
    folder = new TestFolder();
    up = null;
    blocker = null;
  });
  afterEach(() => {
    up?.killAll();
    blocker?.close();
    folder.delete();
  });

  const takePort = async (): Promise<string> => {
    const server = createServer();
    blocker = server;
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return String((server.address() as { port: number }).port);
  };
  /** What it prints as it ends with 1, having left nothing behind. */
  const refusal = async (args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> => {
    up = new UpProcess(folder.path, args, env);
    assert.equal(await up.exited, 1);
    await up.untilAllGone();
    assert.deepEqual(readdirSync(join(folder.path, "tmp")), []);
    assert.doesNotMatch(up.stderr, STACK_TRACE);
    return up.stderr;
  };

  for (const option of ["--port", "--http-port", "--keda-port", "--switcher-port"])
    it(`names the option of a port that is taken: ${option}`, async () => {
      writeTinyPipeline(folder.path);
      const port = await takePort();
      const said = await refusal([option, port]);
      const rule = `cannot listen on 127.0.0.1:${port}: .*Free the port, or choose another one by ${option}`;
      assert.match(said, new RegExp(`^variscale: ${rule}`, "m"));
    });

  it("names the folder for temporary files that is not there", async () => {
    writeTinyPipeline(folder.path);
    const tmp = join(folder.path, "no-tmp");
    assert.match(
      await refusal([], { TMPDIR: tmp }),
      new RegExp(`^variscale: can't write to the folder for temporary files, ${tmp} .*set TMPDIR`, "m"),
    );
  });

  it("names a model that is missing", async () => {
    writeTinyPipeline(folder.path, { missing: "second-heavy" });
    assert.match(await refusal(), /no-second-heavy\.onnx of variant second\/heavy is not in .*Copy it there/);
  });

  it("names a model whose file is not the one that the pipeline file names, also where nothing serves it at start", async () => {
    writeTinyPipeline(folder.path, { corrupt: "second-heavy" });
    assert.match(
      await refusal(),
      /^variscale: .*second-heavy\.onnx of variant second\/heavy has sha256 [0-9a-f]{64}, the pipeline file says [0-9a-f]{64}\. Where the model is a new one/m,
    );
  });

  it("refuses a state folder that another one writes into, and takes it once that was killed", async () => {
    writeTinyPipeline(folder.path);
    const first = await UpProcess.startReady(folder.path);
    try {
      // Also where it wants the ports of the first.
      up = new UpProcess(folder.path, ["--port", new URL(first.url).port]);
      assert.equal(await up.exited, 1);
      assert.match(up.stderr, new RegExp(`state is in use by variscale up .* \\(pid ${first.child.pid}, since 20`));
      await first.end("SIGKILL");
      up = await UpProcess.startReady(folder.path);
    } finally {
      first.killAll();
    }
  });

  it("says that an edit of the pipeline file waits for the next start", async () => {
    writeTinyPipeline(folder.path);
    const running = await UpProcess.startReady(folder.path);
    up = running;
    const file = join(folder.path, "pipeline.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace('"latencyMs": 5000', '"latencyMs": 4000'));
    const findWarnings = () => running.logs().filter(line => / changed: /.test(String(line["msg"])));
    await running.until(() => findWarnings().length > 0, "told of the edit");
    assert.match(
      String(findWarnings()[0]?.["msg"]),
      /pipeline\.yaml changed: the pipeline is served as it was at the start\. Start `variscale up` again/,
    );
    assert.equal((await running.page()).slo.latencyMs, 5000);
  });

  it("ends with the reason where no model keeps the contract, which no further try would mend", async () => {
    writeTinyPipeline(folder.path);
    const said = await refusal(["--set", "spec.stages[0].contract.outputs[0].shape=[-1, 3]"]);
    // It is found before a port is opened or a replica is started, which could only say what it could not serve.
    assert.match(said, /^variscale: first\/light \(.*first-light\.onnx\): .*Correct `contract` of stage first/m);
  });

  it("refuses a pipeline that was not measured, and says what to do", async () => {
    writeTinyPipeline(folder.path, { profiled: false });
    const said = await refusal();
    assert.match(said, /^variscale: no variant of stages first, second in .* was measured/m);
    assert.match(said, /Run `variscale profile /);
  });

  it("ends with 0 and leaves nothing when it is told to while it starts", async () => {
    writeTinyPipeline(folder.path);
    up = new UpProcess(folder.path);
    const starting = up;
    await starting.until(() => starting.children().length > 0, "starting its gateway");
    assert.equal(await starting.end("SIGTERM"), 0);
    assert.deepEqual(readdirSync(join(folder.path, "tmp")), []);
  });

  it("leaves no process when it is killed while its first replicas start", async () => {
    writeTinyPipeline(folder.path);
    up = new UpProcess(folder.path);
    const starting = up;
    await starting.until(() => starting.children().length > 1, "starting its replicas");
    assert.equal(await starting.end("SIGKILL"), "SIGKILL");
    assert.doesNotMatch(starting.stderr, STACK_TRACE);
  });

  it("leaves no process when it is killed while its gateway starts", async () => {
    writeTinyPipeline(folder.path);
    up = new UpProcess(folder.path);
    const starting = up;
    await starting.until(() => starting.children().length > 0, "starting its gateway");
    assert.equal(await starting.end("SIGKILL"), "SIGKILL");
    assert.doesNotMatch(starting.stderr, STACK_TRACE);
  });
});
