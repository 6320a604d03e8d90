import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "mocha";
import protobuf from "protobufjs/minimal.js";
import { z } from "zod";
import { startMcpHttp } from "../../cli/mcp/http.ts";
import { defineTool } from "../../cli/mcp/tool.ts";
import { answerLabelOf } from "../../domain/answer-label.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { setFields } from "../../domain/set-fields.ts";
import type { StageContract } from "../../domain/tensor.ts";
import { readLoadTable } from "../../load/load-table.ts";
import type { HttpServer } from "../../runtime/http-server.ts";
import { readKubeconfig } from "../../runtime/kubeconfig.ts";
import { readLines } from "../../runtime/kubernetes.ts";
import { createLogger } from "../../runtime/logger.ts";
import { openEnvelope, sealEnvelope } from "../../runtime/state-envelope.ts";
import { readSeconds } from "../../scaler/counter-reader.ts";
import { Exposition } from "../../scaler/exposition.ts";
import { OperatorSettings } from "../../scaler/operator-settings.ts";
import { tuningOf } from "../../scaler/operator-tuning.ts";
import { readPastChanges } from "../../scaler/past-changes.ts";
import { parseAnswer } from "../../scaler/prometheus-answer.ts";
import { parseStoredPipeline } from "../../scaler/stored-pipeline.ts";
import { usesExternalData } from "../../variant-switcher/external-data.ts";
import { parseGrpcRequest } from "../../variant-switcher/grpc-request.ts";
import { parseRestRequest } from "../../variant-switcher/rest-request.ts";
import { testPipeline } from "../scaler/support/test-pipeline.ts";
import { WorkCounter } from "./count-work.ts";
import { describeInOwnProcess } from "./own-process.ts";
import { CSV_TEXTS, fill, JSON_TEXTS, type Kinds, lines, list, type TestReader } from "./texts.ts";

const NOW_MS = 1_700_000_000_000;
/** Small bodies, and texts that take long to read. */
const SMALL_BYTES = 16 * 1024;

/** YAML that is no JSON. */
const YAML_TEXTS: Kinds<string> = {
  ...JSON_TEXTS,
  keys: bytes => lines(i => `key-${i}: 0\n`, bytes),
  "the same key": bytes => fill("spec: 0\n", bytes),
  "items of a list": bytes => fill("- a\n", bytes),
  "lists in lists": bytes => fill("- ", bytes),
  "keys that are keys": bytes => fill("? ", bytes),
  "brackets that nothing opened": bytes => fill("]", bytes),
  "tags of one value": bytes => fill("!a ", bytes),
  comments: bytes => fill("# a\n", bytes),
  "empty lines": bytes => fill("\n", bytes),
  "a folded text": bytes => `a: >\n${fill("  a\n\n", bytes)}`,
  "a quoted text of many lines": bytes => `a: "${fill("\n  \\\n", bytes)}"`,
  anchors: bytes => lines(i => `- &a${i} 0\n`, bytes),
  aliases: bytes => `- &a 0\n${fill("- *a\n", bytes)}`,
  "a flow that does not end": bytes => fill("{a: [", bytes),
  "lists that are keys, with anchors": bytes => lines(i => `&a${i}\n[${i}]: 0\n`, bytes),
  "aliases that are keys": bytes => `a: &a 0\n${fill("*a : 0\n", bytes)}`,
  "documents of their own": bytes => fill("---\n", bytes),
  blanks: bytes => `a: ${fill(" ", bytes)}b`,
  tabs: bytes => fill("\t", bytes),
};

const CONTRACT: StageContract = {
  inputs: [
    { name: "x", datatype: "FP32", shape: [-1, -1] },
    { name: "t", datatype: "BYTES", shape: [-1, -1] },
    { name: "ids", datatype: "INT64", shape: [-1, -1] },
  ],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
};

function encode(...fields: readonly (readonly [number: number, value: Uint8Array])[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const [number, value] of fields) writer.uint32(number * 8 + 2).bytes(value);
  return writer.finish();
}

function nest(field: number, depth: number, inner: Uint8Array): Uint8Array {
  return depth === 0 ? inner : nest(field, depth - 1, encode([1, encode([5, encode([field, inner])])]));
}

const EMPTY = new Uint8Array();
function many(number: number, bytes: number): Uint8Array {
  const field = encode([number, EMPTY]);
  return Buffer.alloc(bytes - (bytes % field.length), field);
}
const MODELS: Kinds<Uint8Array> = {
  "empty nodes": bytes => encode([7, many(1, bytes)]),
  "empty initializers": bytes => encode([7, many(5, bytes)]),
  "empty functions": bytes => many(25, bytes),
  "graphs in each other, with many nodes inside": bytes => encode([7, nest(6, 60, many(1, bytes))]),
  "attributes with lists of graphs": bytes => encode([7, encode([1, encode([5, many(11, bytes)])])]),
  "fields that are not looked at": bytes => many(1000, bytes),
  "one field of all bytes": bytes => encode([7, encode([5, encode([9, new Uint8Array(bytes)])])]),
  zeros: bytes => new Uint8Array(bytes),
  "bytes of a number that does not end": bytes => new Uint8Array(bytes).fill(0xff),
};

/** Bodies of REST requests, by what is in an input's `data`. */
const tensor = (name: string, datatype: string, shape: readonly number[], data: string): string =>
  `{"inputs":[{"name":"${name}","datatype":"${datatype}","shape":${JSON.stringify(shape)},"data":${data}}]}`;
const TENSORS: Kinds<string> = {
  ...JSON_TEXTS,
  numbers: bytes => tensor("x", "FP32", [1, bytes + 1], list("0", 2 * bytes)),
  "one number in each row": bytes => tensor("x", "FP32", [bytes + 1, 1], list("[0]", 4 * bytes)),
  texts: bytes => tensor("t", "BYTES", [1, bytes + 1], list('""', 3 * bytes)),
  "64-bit integers": bytes => tensor("ids", "INT64", [1, bytes + 1], list("9007199254740993", 17 * bytes)),
  "dimensions of a shape": bytes => tensor("x", "FP32", Array(bytes).fill(1), "[0]"),
  inputs: bytes => `{"inputs":${list('{"name":"x"}', bytes)}}`,
  outputs: bytes => `{"inputs":[],"outputs":${list('{"name":"y"}', bytes)}}`,
};

/** Requests as gRPC's library decodes them. */
const makeMessage = (inputs: readonly object[], more: object = {}): never =>
  ({ modelName: "m", id: "", inputs, outputs: [], rawInputContents: [], parameters: {}, ...more }) as never;
const MESSAGES: Kinds<never> = {
  "typed numbers": count =>
    makeMessage([{ name: "x", datatype: "FP32", shape: [1, count], contents: { fp32Contents: Array(count).fill(1) } }]),
  "64-bit integers": count =>
    makeMessage([
      { name: "ids", datatype: "INT64", shape: [1, count], contents: { int64Contents: Array(count).fill("1") } },
    ]),
  texts: count =>
    makeMessage([
      { name: "t", datatype: "BYTES", shape: [1, count], contents: { bytesContents: Array(count).fill(EMPTY) } },
    ]),
  inputs: count =>
    makeMessage(Array.from({ length: count }, (_, i) => ({ name: `x${i}`, datatype: "FP32", shape: [1] }))),
  outputs: count => makeMessage([], { outputs: Array(count).fill({ name: "y" }) }),
  "dimensions of a shape": count => makeMessage([{ name: "x", datatype: "FP32", shape: Array(count).fill("1") }]),
};

const PROMETHEUS = (type: string, result: string): string =>
  `{"status":"success","data":{"resultType":"${type}","result":${result}}}`;
const ANSWERS: Kinds<string> = {
  ...JSON_TEXTS,
  "points of one series": bytes =>
    PROMETHEUS("matrix", `[{"metric":{},"values":[${lines(i => `[${NOW_MS / 1000 + i},"${i}"],`, bytes)}[9e9,"0"]]}]`),
  series: bytes => PROMETHEUS("vector", list('{"metric":{"a":"b"},"value":[1,"1"]}', bytes)),
  labels: bytes => PROMETHEUS("vector", `[{"metric":{${lines(i => `"l${i}":"v",`, bytes)}"z":""},"value":[1,"1"]}]`),
  warnings: bytes =>
    `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":${list('"a  b"', bytes)}}`,
};

const CHANGE = `{"kind":"mode","at":"2026-11-26T09:00:00Z","namespace":"shop","pipeline":"cards","mode":"shadow","before":"active","by":"a","reason":"","shown":"token"}\n`;
const JOURNALS: Kinds<string> = {
  changes: bytes => fill(CHANGE, bytes),
  "changes of pipelines": bytes => lines(i => CHANGE.replace("cards", `cards-${i}`), bytes),
  "empty lines": bytes => fill("\n", bytes),
  "damaged lines": bytes => fill('{"kind":"pin"\n', bytes),
  "lists in each other": bytes => `{"kind":"pin","variant":${fill("[", bytes)}\n`,
};

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

/** V8 counts the steps of code that is compiled after it has begun to count, so nothing may have run in the process before. */
describeInOwnProcess("the work that untrusted input makes is in proportion to its size", import.meta.url, countWork);

function countWork(this: Mocha.Suite): void {
  this.timeout(120_000);
  let folder: string;
  let mcp: HttpServer;
  const counter = new WorkCounter();
  const token = "a-token-of-the-test";

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-work-"));
    const tool = defineTool({
      ...{ name: "look", title: "Look", description: "Looks.", changes: false },
      input: z.strictObject({ stage: z.string().optional() }),
      output: z.object({ isSeen: z.boolean() }),
      run: async () => ({ isSeen: true }),
    });
    mcp = await startMcpHttp({ port: 0, token, tools: [tool], logger: createLogger("test", "silent") });
    await counter.start();
  });
  after(async () => {
    counter.stop();
    await mcp.close(0);
    rmSync(folder, { recursive: true, force: true });
  });

  const each: TestReader = (what, kinds, read, size) => counter.test(what, kinds, read, size);

  each("of ONNX models", MODELS, usesExternalData);
  each("of REST tensors", TENSORS, text => parseRestRequest(Buffer.from(text), null, CONTRACT));
  each("of gRPC tensors", MESSAGES, message => parseGrpcRequest(message, CONTRACT));
  each(
    "of pins",
    JSON_TEXTS,
    text => new OperatorSettings(testPipeline()).pinOf(JSON.parse(text), [], NOW_MS),
    SMALL_BYTES,
  );
  each("of tunings", JSON_TEXTS, text => tuningOf(JSON.parse(text), NOW_MS), SMALL_BYTES);
  each("of labels", JSON_TEXTS, text => answerLabelOf(JSON.parse(text)), SMALL_BYTES);
  each("of pipeline files", YAML_TEXTS, text => parsePipelineFile(text, () => null), SMALL_BYTES / 2);
  each(
    "of pipeline files with a field that is set",
    YAML_TEXTS,
    text => parsePipelineFile(setFields(text, ["spec.slo.latencyMs=800"]), () => null),
    SMALL_BYTES / 2,
  );
  each("of loads", CSV_TEXTS, text => readLoadTable(text, "load.csv", { column: null }));
  each(
    "of a kubeconfig",
    {
      keys: bytes => lines(i => `key-${i}: 0\n`, bytes),
      contexts: bytes => `contexts:\n${lines(i => `- {name: c${i}, context: {cluster: c}}\n`, bytes)}`,
    },
    text => {
      writeFileSync(join(folder, "kubeconfig"), text);
      return readKubeconfig({ KUBECONFIG: join(folder, "kubeconfig") }, "c");
    },
    SMALL_BYTES,
  );
  each("of Prometheus' answers", ANSWERS, text => {
    const { series } = parseAnswer(text);
    return readSeconds(series, 1000, NOW_MS, NOW_MS + 600_000);
  });
  each("of state", JSON_TEXTS, text => {
    const opened = openEnvelope(sealEnvelope("a test", { epoch: 1, control: JSON.parse(text) }, NOW_MS));
    assert.ok(typeof opened !== "string");
    return parseStoredPipeline(opened.payload);
  });
  const readLog = (text: string) => {
    const path = join(folder, "changes.jsonl");
    writeFileSync(path, text);
    return readPastChanges({ paths: [path], keep: 0, mostBytes: 16 * 1024 * 1024 });
  };
  each("of the audit log", JOURNALS, readLog);
  // A long line is read in pieces.
  each(
    "of a long line of the audit log",
    { "its text": bytes => `{"kind":"pin","reason":"${fill("a", bytes)}` },
    readLog,
    2 ** 20,
  );
  each("of metrics", { "quotes in a label": bytes => fill('"', bytes) }, text => {
    const exposition = new Exposition();
    exposition.family("gauge", "a", "b", ["c"])([text], 1);
    return exposition.pieces();
  });
  for (const size of [16, 4096])
    each(
      `of watched objects in pieces of ${size} bytes`,
      {
        "one line": bytes => fill("a", bytes),
        "empty lines": bytes => fill("\n", bytes),
        lines: bytes => fill("{}\n", bytes),
      },
      async text => {
        for await (const line of readLines(inPieces(text, size), "watch")) assert.notEqual(line, "");
      },
    );
  each("of MCP messages", JSON_TEXTS, async text => {
    const headers = {
      ...{ authorization: `Bearer ${token}`, "content-type": "application/json" },
      accept: "application/json, text/event-stream",
    };
    const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","arguments":{"stage":${text}}}}`;
    for (const body of [text, call]) {
      const answer = await fetch(`http://127.0.0.1:${mcp.port}/mcp`, { method: "POST", headers, body });
      await answer.text();
      assert.ok(answer.status < 500, String(answer.status));
    }
  });
}
