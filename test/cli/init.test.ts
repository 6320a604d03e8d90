import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, it } from "mocha";
import { nameFrom } from "../../cli/init/described-model.ts";
import { askQuestions } from "../../cli/init/questions.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { FakeModelServer } from "../support/fake-model-server.ts";
import { affineModel, writeModel } from "../support/models.ts";
import { affineConfig, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";
import { type Ended, runVariscale } from "./support/run-variscale.ts";
import { UpProcess } from "./support/up-process.ts";

const READING = join(packageFolder, "pipelines/question-answering/models");

describe("variscale init", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let target: string;
  beforeEach(() => {
    folder = new TestFolder();
    target = join(folder.path, "shop");
  });
  afterEach(() => folder.delete());

  const init = (...args: string[]): Promise<Ended> => runVariscale(["init", target, ...args]);
  const nothingWritten = (): void => assert.equal(existsSync(join(target, "pipeline.yaml")), false);

  it("writes a pipeline of ONNX files that can be measured, planned with and served", async () => {
    writeModel(folder.path, "Light Model_1", affineModel(2, 1));
    writeModel(folder.path, "heavy", affineModel(3, 5));
    const models = ["Light Model_1", "heavy"].flatMap(name => ["--model", join(folder.path, `${name}.onnx`)]);
    const { status, stdout, stderr } = await init(...models, "--slo", "5000", "--output", "json");
    assert.equal(status, 0, stderr);
    const result = JSON.parse(stdout);
    assert.deepEqual(result.stages, [{ name: "stage1", variants: ["light-model-1", "heavy"] }]);
    const pipeline = readPipeline(target);
    assert.deepEqual(
      [pipeline.key.name, pipeline.slo.latencyMs, pipeline.mode, pipeline.stages[0]?.contract.inputs[0]?.shape],
      ["shop", 5000, "shadow", [-1, 2]],
    );
    // The steps of README.md.
    const modelFolder = ["--model-folder", join(target, "models")];
    assert.match(readFileSync(join(target, "README.md"), "utf8"), /variscale validate \.\nvariscale profile \.\n/);
    const profile = await runVariscale(["profile", target, ...modelFolder, "--window-ms", "100", "--accept-noise"]);
    assert.equal(profile.status, 0, profile.stderr);
    const plan = await runVariscale(["plan", target, "--rps", "5", "--output", "json"]);
    assert.equal(plan.status, 0, plan.stderr);
    const up = new UpProcess(target, modelFolder);
    try {
      await until(() => {
        const ready = up.logs().find(line => line["msg"] === "ready" && line["process"] === "up");
        up.url = String(ready?.["url"] ?? "");
        return up.url !== "";
      }, "ready");
      const ask = (body: string) => fetch(up.url, { method: "POST", body });
      const answer = await ask(JSON.stringify({ stage1: { x: { data: [3, 4] } } }));
      assert.equal(answer.status, 200);
      const outputs = (await answer.json()) as Record<string, { y: { data: number[] } }>;
      const { data } = outputs["stage1"]?.y ?? { data: [] };
      assert.ok([7, 14].includes(data[0] ?? 0) && data.length === 2, JSON.stringify(outputs));
      const wrong = await ask(JSON.stringify({ stage1: { x: { data: [3] } } }));
      assert.deepEqual([wrong.status, /must have 2 numbers/.test(await wrong.text())], [400, true]);
      assert.equal((await ask("{")).status, 400);
      await up.end("SIGTERM");
    } finally {
      up.killAll();
    }
  });

  it("makes stages of models that take and give the same, or as it is told", async () => {
    const files = ["retrieval-nano", "reading-nano", "reading-small"].map(name => join(READING, `${name}.onnx`));
    const { stdout } = await init(...files.flatMap(file => ["--model", file]), "--output", "json");
    const { stages } = JSON.parse(stdout);
    assert.deepEqual(
      stages.map(({ variants }: { variants: string[] }) => variants),
      [["retrieval-nano"], ["reading-nano", "reading-small"]],
    );
    assert.equal(stages[0].name, "retrieval-nano");
    const named = await init("--model", `find=${files[0]}`, "--model", `read=${files[1]}`, "--force");
    assert.equal(named.status, 0, named.stderr);
    assert.deepEqual(
      readPipeline(target).stages.map(({ name }) => name),
      ["find", "read"],
    );
    const mixed = await init("--model", `a=${files[0]}`, "--model", `a=${files[1]}`, "--force");
    assert.equal(mixed.status, 2);
    assert.match(
      mixed.stderr,
      /stage a: all its models must take and give the same tensors.*question INT32\[-1,24,4\]/,
    );
  });

  it("reads what a server of the Open Inference Protocol has, and measures it when asked to", async () => {
    const switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    try {
      const url = `http://127.0.0.1:${switcher.switcher.ports.http}`;
      const first = await init("--from-v2", url);
      assert.equal(first.status, 0, first.stderr);
      const [stage] = readPipeline(target).stages;
      assert.equal(stage?.name, "affine");
      assert.deepEqual(stage?.contract.inputs, [{ name: "x", datatype: "FP32", shape: [-1, 2] }]);
      const [variant] = stage?.variants ?? [];
      assert.deepEqual(
        [variant?.driver, variant?.model, variant?.url, variant?.profile],
        ["remote", "affine", url, null],
      );
      assert.match(readFileSync(join(target, "README.md"), "utf8"), /--measure --force/);
      const measured = await init("--from-v2", `${url}/v2/models/affine`, "--measure", "--force");
      assert.equal(measured.status, 0, measured.stderr);
      assert.match(measured.stderr, /affine: batch 1 takes [\d.]+ ms/);
      const points = readPipeline(target).stages[0]?.variants[0]?.profile?.points ?? [];
      assert.equal(points[0]?.batch, 1);
      assert.ok(points.every(({ latencyMs }, i) => latencyMs >= (points[i - 1]?.latencyMs ?? 0)));
      const plan = await runVariscale(["plan", target, "--rps", "5"]);
      assert.equal(plan.status, 0, plan.stderr);
    } finally {
      await switcher.close();
    }
  });

  it("measures no server that answers otherwise than it says, and leaves it as it was", async () => {
    const server = await FakeModelServer.start();
    try {
      const tensor = (name: string, columns: number) => ({ name, datatype: "FP32", shape: [-1, columns] });
      server.metadata = { name: "x", inputs: [tensor("x", 2)], outputs: [tensor("y", 3)] };
      const { status, stderr } = await init("--from-v2", `${server.url}/v2/models/x`, "--measure");
      assert.equal(status, 1, stderr);
      assert.match(
        stderr,
        /--measure: x\/x \(x at http:.*\): .*output "?`?y"?`?.* \[1,2\].* \[-1,3\].*server says of the model: correct the model/,
      );
      nothingWritten();
      assert.deepEqual(server.done, ["load", "infer", "unload"]);
    } finally {
      await server.close();
    }
  });

  it("says what is wrong with a server, and takes nothing of it for more than data", async () => {
    let answers: Record<string, unknown> = {};
    const server = createServer((request, response) => {
      const answer = answers[decodeURIComponent(request.url ?? "")];
      response
        .writeHead(answer === undefined ? 404 : 200)
        .end(typeof answer === "string" ? answer : JSON.stringify(answer));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tensor = { name: "x", datatype: "FP32", shape: [-1, 2] };
    const model = (more: object = {}) => ({ name: "m", inputs: [tensor], outputs: [tensor], ...more });
    const refused = async (given: string, message: RegExp): Promise<void> => {
      const { stderr, stdout, status } = await init("--from-v2", given);
      assert.match(stderr, message);
      assert.ok(stdout === "" && (status === 1 || status === 2), stderr);
      assert.doesNotMatch(stderr, /^\s+at /m);
      nothingWritten();
    };
    try {
      await refused(url, /does not tell which models it has \(status 404\): name each, as in .*\/v2\/models\/NAME/);
      answers = { "/v2/repository/index": [] };
      await refused(url, /the server has no model/);
      answers = { "/v2/repository/index": Array.from({ length: 101 }, (_, i) => ({ name: `m${i}` })) };
      await refused(url, /has 101 models: name those that are wanted/);
      answers = { "/v2/repository/index": "x".repeat(2 * 1024 * 1024) };
      await refused(url, /does not answer: the answer has more than/);
      answers = { "/v2/models/m": { name: "m", inputs: [], outputs: [] } };
      await refused(`${url}/v2/models/m`, /it is loaded, and its metadata names no inputs: .*model-settings\.json/);
      await refused(`${url}/v2/models/50%`, /`50%` is no encoded name of a model: write a percent sign as %25/);
      const load = new RegExp(`curl -X POST ${url}/v2/repository/models/gone/load`);
      await refused(`${url}/v2/models/gone`, load);
      const bad = { ...tensor, datatype: "FP7" };
      answers = { "/v2/models/m": model({ outputs: [bad] }) };
      await refused(`${url}/v2/models/m`, /its metadata has a wrong `outputs\.0\.datatype`/);
      const index = [{ name: "m" }, { name: "gone", state: "UNAVAILABLE" }];
      answers = { "/v2/repository/index": index, "/v2/models/m": { name: "m" } };
      await refused(
        url,
        /the server has these models, and none of them can be described:\n- .*models\/m: it is loaded/,
      );
      await refused(url, load);
      answers = { "/v2/models/m": model({ inputs: [{ ...tensor, shape: [1, 2] }] }) };
      await refused(`${url}/v2/models/m`, /input `x`: the first dimension is the batch and must be free, and it is 1/);
      await refused("127.0.0.1:8000", /--from-v2 `127\.0\.0\.1:8000` is no address/);
      await refused("http://127.0.0.1:1", /does not answer: .*Is it the server's HTTP port\?/);
      answers = { "/v2/repository/index": [{ name: "../x" }], "/v2/models/../x": model() };
      await refused(url, /make no valid pipeline file: .*model: must be a path inside the model folder/);
      const hostile = 'a/b x\n  evil: "yes"\u001b[2J';
      const named = { ...tensor, name: 'a"\n- b: $'.concat("{x}`") };
      answers = {
        "/v2/repository/index": [{ name: hostile }],
        [`/v2/models/${hostile}`]: model({ inputs: [named] }),
      };
      const { status, stderr } = await init("--from-v2", url);
      assert.equal(status, 0, stderr);
      const { stages } = readPipeline(target);
      assert.deepEqual(
        [stages.length, stages[0]?.name, stages[0]?.contract.inputs[0]?.name, stages[0]?.variants[0]?.model],
        [1, nameFrom(hostile), named.name, hostile],
      );
      const code = await import(`${join(target, "index.mjs")}?hostile`);
      assert.deepEqual(Object.keys(code.default.stages), [nameFrom(hostile)]);
    } finally {
      server.close();
    }
  });

  it("leaves out the models of a server that can't be described, by name, and goes on with the others", async () => {
    const tensor = { name: "x", datatype: "FP32", shape: [-1, 2] };
    const answers: Record<string, object> = {
      "/v2/repository/index": ["bare", "good", "fixed", "gone"].map(name => ({ name })),
      "/v2/models/bare": { name: "bare" },
      "/v2/models/good": { name: "good", inputs: [tensor], outputs: [tensor] },
      "/v2/models/fixed": {
        name: "fixed",
        inputs: [{ ...tensor, name: "x\u001b[31m", shape: [1, 2] }],
        outputs: [tensor],
      },
    };
    const server = createServer(({ url = "" }, response) => {
      response.writeHead(answers[url] ? 200 : 404).end(JSON.stringify(answers[url]));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { status, stderr } = await init("--from-v2", url);
      assert.equal(status, 0, stderr);
      assert.deepEqual(
        readPipeline(target).stages.flatMap(({ variants }) => variants.map(({ name }) => name)),
        ["good"],
      );
      assert.match(stderr, /left out: .*\/models\/bare: it is loaded, and its metadata names no inputs/);
      assert.match(stderr, /left out: .*\/models\/fixed: input `x.?\[31m`: the first dimension is the batch/);
      assert.match(stderr, /left out: .*\/models\/gone: it is not loaded/);
      assert.ok(!stderr.includes("\u001b"), "no name of a server writes to the terminal");
    } finally {
      server.close();
    }
  });

  it("never writes over what is there without --force, and then writes nothing at all", async () => {
    const { model } = writeModel(folder.path, "light", affineModel(2, 1));
    const args = ["--model", join(folder.path, model)];
    mkdirSync(target);
    writeFileSync(join(target, "README.md"), "mine");
    const refused = await init(...args);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /README\.md: there already\. Name another folder, or write over it with --force/);
    nothingWritten();
    assert.equal(readFileSync(join(target, "README.md"), "utf8"), "mine");
    assert.equal((await init(...args, "--force")).status, 0);
    assert.notEqual(readFileSync(join(target, "README.md"), "utf8"), "mine");
    // A model that is where its copy goes stays as it is.
    const again = await init("--model", join(target, "models", model), "--force");
    assert.equal(again.status, 0, again.stderr);
  });

  it("names what is wrong with what it is given", async () => {
    writeFileSync(join(folder.path, "text.onnx"), "no model");
    writeModel(folder.path, "light", affineModel(2, 1));
    const light = join(folder.path, "light.onnx");
    const cases: readonly (readonly [args: readonly string[], status: number, message: RegExp])[] = [
      [[], 2, /name models with --model FILE, or a server with --from-v2 URL/],
      [["--model", "/nowhere.onnx"], 1, /--model \/nowhere\.onnx can't be read/],
      [["--model", join(folder.path, "text.onnx")], 2, /is no ONNX model that can be loaded/],
      [["--model", light, "--name", "Shop!"], 2, /--name Shop!: must be lower-case/],
      [["--model", light, "--slo", "0"], 2, /must be a number from 0\.1/],
    ];
    for (const [args, status, message] of cases) {
      const ended = await init(...args);
      assert.match(ended.stderr, message);
      assert.deepEqual([ended.status, ended.stdout], [status, ""], args.join(" "));
    }
    nothingWritten();
    const inTheWay = await runVariscale(["init", join(light, "shop"), "--model", light]);
    assert.match(inTheWay.stderr, /can't be written: .*Name a folder that is yours/);
  });
});

describe("questions of variscale init", () => {
  /** No more input, as Ctrl-D; a terminal's Ctrl-C closes it as well. */
  const END = "\u0004";
  const answer = async (...lines: string[]) => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    let asked = "";
    output.on("data", (chunk: Buffer) => {
      asked += chunk;
    });
    const answers = askQuestions({ input, output }, { name: "shop", sloMs: 500 }, text => /^[a-z]+$/.test(text));
    for (const line of lines) {
      if (line === END) {
        input.end();
        break;
      }
      const before = asked.length;
      input.write(`${line}\n`);
      await until(() => asked.length > before || line === lines.at(-1), "a question");
    }
    return { answers: await answers, asked };
  };

  it("take what is proposed for an empty answer, and tell files from addresses", async () => {
    const { answers } = await answer("", "a.onnx, http://127.0.0.1:8000,", "");
    assert.deepEqual(answers, { name: "shop", models: ["a.onnx"], urls: ["http://127.0.0.1:8000"], sloMs: 500 });
  });

  it("are asked again where an answer can't be used", async () => {
    const { answers, asked } = await answer("Shop!", "store", "", ",", "a.onnx", "soon", "20");
    assert.deepEqual(answers, { name: "store", models: ["a.onnx"], urls: [], sloMs: 20 });
    assert.match(asked, /lower-case letters[\s\S]*such as light\.onnx[\s\S]*a number above 0/);
  });

  it("have no answers where the input ends before all are given", async () => {
    assert.equal((await answer(END)).answers, null);
    assert.equal((await answer("", END)).answers, null);
  });

  it("end at Ctrl-C with 130, and nothing is written", async () => {
    const folder = new TestFolder();
    try {
      // A terminal of its own; Ctrl-C is a key there.
      const command = `${process.execPath} ${join(packageFolder, "dist/cli/main.js")} init ${join(folder.path, "shop")}`;
      const child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "pipe"] });
      let shown = "";
      child.stdout.on("data", (chunk: Buffer) => {
        shown += chunk;
      });
      const status = new Promise(resolve => child.once("close", resolve));
      await until(() => shown.includes("Name of the pipeline"), "a question");
      child.stdin.write("\u0003");
      assert.equal(await status, 130, shown);
      assert.match(shown, /interrupted: nothing is written/);
      assert.ok(!existsSync(join(folder.path, "shop")));
    } finally {
      folder.delete();
    }
  });
});
