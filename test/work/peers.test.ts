import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { after, before } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { readControls, timeoutOf } from "../../gateway/answer.ts";
import { decodeInferResponse } from "../../gateway/infer-codec.ts";
import { readSequencePlace } from "../../gateway/sequence-memory.ts";
import type { ProtoGrpcType } from "../../proto/generated/switcher.ts";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { CallBytes } from "../../runtime/call-bytes.ts";
import { execAccess } from "../../runtime/exec-credential.ts";
import { loadProto } from "../../runtime/grpc.ts";
import { sealEnvelope } from "../../runtime/state-envelope.ts";
import { OtlpTracer } from "../../runtime/tracing/otlp-tracer.ts";
import { readTraceContext, UnrecordedSpan } from "../../runtime/tracing/tracing.ts";
import { NO_ANSWER_COUNTS, readAnswers } from "../../scaler/answer-counts.ts";
import { parseReport } from "../../scaler/gateway-source.ts";
import { parseLease } from "../../scaler/lease-record.ts";
import { openBoardObject } from "../../scaler/shared-board.ts";
import { assignmentFromMessage } from "../../variant-switcher/follow-messages.ts";
import { decodeRemoteResponse } from "../../variant-switcher/remote-codec.ts";
import { numberPipeline, startNumberGateway, type TestGateway } from "../gateway/number-pipeline.ts";
import { makeHttp2Frame } from "../runtime/http/http2-frame.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";
import { WorkCounter } from "./count-work.ts";
import { describeInOwnProcess } from "./own-process.ts";
import { fill, HEADERS_OF_REQUESTS, JSON_TEXTS, type Kinds, lines, list, type TestReader } from "./texts.ts";

const NOW_MS = 1_700_000_000_000;
const SMALL_BYTES = 16 * 1024;
const KEY = "shop/cards";
const STAGE = {
  contract: { inputs: [], outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }] },
  variants: [{ name: "light" }],
} as const;

/** An answer of a replica: its header, and the bytes of outputs behind it. */
interface Answer {
  readonly body: Buffer;
  readonly headerBytes: number;
  readonly rows: number;
}

function makeAnswer(header: string, rows = 1, bytes = 0): Answer {
  const head = Buffer.from(header);
  return { body: Buffer.concat([head, Buffer.alloc(bytes)]), headerBytes: head.length, rows };
}

const makeOutput = (rows: number): string =>
  `{"name":"y","datatype":"FP32","shape":[${rows},1],"parameters":{"binary_data_size":${4 * rows}}}`;
const ANSWERS: Kinds<Answer> = {
  ...Object.fromEntries(
    Object.entries(JSON_TEXTS).map(([kind, make]) => [kind, (bytes: number) => makeAnswer(make(bytes))]),
  ),
  rows: rows => makeAnswer(`{"model_version":"light","outputs":[${makeOutput(rows)}]}`, rows, 4 * rows),
  "the same output": bytes => makeAnswer(`{"outputs":${list(makeOutput(0), bytes)}}`, 0),
  "outputs that nobody asked for": bytes => makeAnswer(`{"outputs":${list('{"name":"z"}', bytes)}}`),
  "dimensions of a shape": bytes =>
    makeAnswer(`{"outputs":[{"name":"y","datatype":"FP32","shape":${list("1", bytes)}}]}`),
  "numbers as text": bytes =>
    makeAnswer(`{"outputs":[{"name":"y","datatype":"FP32","shape":[${bytes + 1}],"data":${list("1", 2 * bytes)}}]}`),
  "rungs that are many": bytes =>
    makeAnswer(`{"parameters":{"rungs":"${fill("light=1,", bytes)}"},"outputs":[${makeOutput(1)}]}`, 1, 4),
};

const makeReport = (estimates: string, seconds = "[]"): string =>
  `{"epoch":"e","startedAtMs":1,"atMs":2,"seconds":${seconds},"estimates":${estimates}}`;
const makeEstimate = (variants: string): string =>
  `{"variants":{${variants}},"requests":1,"right":1,"labels":0,"correction":0}`;
const REPORTS: Kinds<string> = {
  ...JSON_TEXTS,
  estimates: bytes => makeReport(`[${lines(i => `${makeEstimate(`"read":"v${i}"`)},`, bytes)}${makeEstimate("")}]`),
  "estimates that are none": bytes => makeReport(list("{}", bytes)),
  "variants of an estimate": bytes => makeReport(`[${makeEstimate(`${lines(i => `"s${i}":"v",`, bytes)}"z":"v"`)}]`),
  seconds: bytes => makeReport("[]", list('{"atMs":1,"rateRps":1}', bytes)),
};

const makeLease = (annotations: string): string =>
  `{"metadata":{"resourceVersion":"1","annotations":${annotations}},"spec":{"holderIdentity":"a"}}`;
const LEASES: Kinds<string> = {
  ...JSON_TEXTS,
  annotations: bytes => makeLease(`{${lines(i => `"a${i}":"b",`, bytes)}"z":"b"}`),
  "annotations that are none": bytes => makeLease(`{${lines(i => `"a${i}":0,`, bytes)}"z":0}`),
  "pipelines that are stuck": bytes => makeLease(`{"variscale.dev/stuck":"${fill("a,", bytes)}"}`),
  "digits of an epoch": bytes => makeLease(`{"variscale.dev/epoch":"${fill("1", bytes)}"}`),
};

const pack = (text: string): string => gzipSync(text).toString("base64");
const packBoard = (stages: string): string =>
  pack(
    sealEnvelope(KEY, JSON.parse(`{"pipeline":{"namespace":"shop","name":"cards"},"atMs":1,"stages":${stages}}`), 1),
  );
const BOARDS: Kinds<string> = {
  ...Object.fromEntries(Object.entries(JSON_TEXTS).map(([kind, make]) => [kind, (bytes: number) => pack(make(bytes))])),
  "no packed data": bytes => fill("A", bytes),
  zeros: bytes => pack("\0".repeat(bytes)),
  stages: bytes => packBoard(list('{"stage":"a","metricValue":1,"active":true,"replicasReady":1}', bytes)),
  "stages that are none": bytes => packBoard(list("0", bytes)),
};

const credential = (status: string): string => `{"kind":"ExecCredential","status":${status}}`;
const CREDENTIALS: Kinds<string> = {
  ...JSON_TEXTS,
  "a token": bytes => credential(`{"token":"${fill("a", bytes)}"}`),
  "fields that nobody reads": bytes => credential(`{${lines(i => `"f${i}":0,`, bytes)}"token":"a"}`),
  "digits of a time": bytes => credential(`{"token":"a","expirationTimestamp":"${fill("1", bytes)}"}`),
};

const NONE = Buffer.alloc(0);
const PREFACE = Buffer.alloc(24);
const [DATA, HEADERS, RESET, CONTINUATION] = [0, 1, 3, 9];
const repeat = (bytes: number, makeOne: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil(bytes / makeOne(0).length) }, (_, i) => makeOne(i)));
const openCall = (frames: Buffer): Buffer => Buffer.concat([PREFACE, makeHttp2Frame(HEADERS, 0, 1, NONE), frames]);
const FRAMES: Kinds<Buffer> = {
  calls: bytes => Buffer.concat([PREFACE, repeat(bytes, i => makeHttp2Frame(HEADERS, 0, 2 * i + 1, NONE))]),
  "calls that are reset": bytes => {
    const openAndReset = (i: number) => [HEADERS, RESET].map(type => makeHttp2Frame(type, 0, 2 * i + 1, NONE));
    return Buffer.concat([PREFACE, repeat(bytes, i => Buffer.concat(openAndReset(i)))]);
  },
  "frames of one byte": bytes => openCall(repeat(bytes, () => makeHttp2Frame(DATA, 0, 1, Buffer.from([0])))),
  "empty frames": bytes => openCall(repeat(bytes, () => makeHttp2Frame(DATA, 0, 1, NONE))),
  "empty messages in one frame": bytes => openCall(makeHttp2Frame(DATA, 0, 1, Buffer.alloc(bytes))),
  "frames with an empty message": bytes => openCall(repeat(bytes, () => makeHttp2Frame(DATA, 0, 1, Buffer.alloc(5)))),
  "headers in many frames": bytes => openCall(repeat(bytes, () => makeHttp2Frame(CONTINUATION, 0, 1, Buffer.alloc(1)))),
  "frames that are padded": bytes => openCall(repeat(bytes, () => makeHttp2Frame(DATA, 8, 1, Buffer.from([1, 0, 0])))),
  "frames of calls that are not open": bytes => openCall(repeat(bytes, i => makeHttp2Frame(DATA, 0, 2 * i + 3, NONE))),
};

/** Both sides read the same bytes, which come in pieces of `size` at most. */
function readFrames(bytes: Buffer, size: number): void {
  const held = new ByteBudget(2 ** 30).hold();
  const calls = new CallBytes({ held, maxMessageBytes: 2 ** 20, keepsMessages: true });
  for (let from = 0; from < bytes.length; from += size) {
    const chunk = bytes.subarray(from, from + size);
    for (let at = 0; at < chunk.length; ) {
      const passed = calls.receive(chunk.subarray(at));
      if (passed === 0) return;
      at += passed;
    }
    calls.send(chunk);
  }
  calls.release();
}

const { Follow } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1.SwitcherControl.service;
const makeDirective = (more: object): Buffer =>
  Follow.responseSerialize({
    assignment: {
      version: { epoch: 1, counter: 1 },
      rungs: [{ variant: "a", maxBatch: 1 }],
      ...{ top: "a", floor: "a", budgetMs: 1, headroom: 1 },
      ...more,
    },
  });
const DIRECTIVES: Kinds<Buffer> = {
  rungs: count =>
    makeDirective({ rungs: Array.from({ length: count }, (_, i) => ({ variant: `v${i}`, maxBatch: 1 })) }),
  "the same rung": count => makeDirective({ rungs: Array(count).fill({ variant: "a", maxBatch: 1 }) }),
  "variants below the floor": count => makeDirective({ belowFloor: Array.from({ length: count }, (_, i) => `v${i}`) }),
  "a long name": bytes => makeDirective({ top: fill("a", bytes), decisionId: fill("a", bytes) }),
  "fields that nobody knows": bytes => Buffer.alloc(2 * bytes, Buffer.from([0x78, 0x01])),
};

/** V8 counts the steps of code that is compiled after it has begun to count, so nothing may have run in the process before. */
describeInOwnProcess("the work that peers make is in proportion to what they send", import.meta.url, countPeers);

function countPeers(this: Mocha.Suite): void {
  this.timeout(120_000);
  const counter = new WorkCounter();
  const each: TestReader = (what, kinds, read, size) => counter.test(what, kinds, read, size);
  const tracer = new OtlpTracer(
    { OTEL_TRACES_SAMPLER: "always_off" },
    { service: "a-test", instance: "1", attributes: {} },
  );
  let pipeline: Pipeline;
  let folder: TestFolder;
  let switcher: TestSwitcher;
  let gateway: TestGateway;

  before(async () => {
    await counter.start();
    pipeline = numberPipeline();
    folder = new TestFolder();
    const emulated = { name: "e", driver: "emulated", model: "e", points: [{ batch: 1, latencyMs: 1, scv: 0 }] };
    switcher = await TestSwitcher.startReady(
      affineConfig(folder.path, { variants: [{ ...emulated, loadMs: 1 }], defaultVariant: "e" }),
    );
    gateway = await startNumberGateway({});
  });
  after(async () => {
    await tracer.close();
    await gateway.gateway.close(0);
    await switcher.close();
    counter.stop();
    folder.delete();
  });

  each("of replicas' answers", ANSWERS, ({ body, headerBytes, rows }) =>
    decodeInferResponse(STAGE, rows, body, String(headerBytes)),
  );
  each("of other servers' answers", ANSWERS, ({ body, headerBytes }) => decodeRemoteResponse(body, headerBytes));
  each("of gateways' reports", REPORTS, text => {
    const report = parseReport(text);
    const { counts } = readAnswers(NO_ANSWER_COUNTS, report);
    return readAnswers(counts, report);
  });
  each("of Leases", LEASES, text => parseLease(JSON.parse(text), NOW_MS));
  each("of shared boards", BOARDS, data =>
    openBoardObject({ name: "a", resourceVersion: "1", pipeline: KEY, write: { epoch: 1, number: 1 }, data }),
  );
  each(
    "of credentials that a program gives",
    CREDENTIALS,
    async text => {
      const file = join(folder.path, "credential");
      writeFileSync(file, text);
      const place = { folder: folder.path, env: process.env, clusterInfo: () => ({}) };
      return await execAccess({ apiVersion: "client.authentication.k8s.io/v1", command: "cat", args: [file] }, place)();
    },
    SMALL_BYTES,
  );
  for (const size of [1, 1024, 64 * 1024])
    each(`of HTTP/2 frames in pieces of ${size} bytes`, FRAMES, bytes => readFrames(bytes, size), SMALL_BYTES);
  each(
    "of the scaler's directives",
    DIRECTIVES,
    bytes => {
      const { assignment } = Follow.responseDeserialize(bytes);
      return assignment && assignmentFromMessage(assignment);
    },
    SMALL_BYTES,
  );
  each("of trace headers", HEADERS_OF_REQUESTS, value => {
    const caller = readTraceContext(() => value);
    UnrecordedSpan.passOn(caller)?.startChild().end();
    const valid = { ...caller, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    for (const context of [caller, valid]) tracer.startSpan("a", { kind: "server" }, context).end();
  });
  each("of a gateway's headers", HEADERS_OF_REQUESTS, value => {
    const headers = { "x-variscale-variant": value, "x-request-timeout-ms": value, "x-sequence-id": value };
    return [readControls(headers, pipeline), timeoutOf(headers, 1), readSequencePlace(headers)];
  });
  each("of bodies at a switcher's admin port", JSON_TEXTS, async body => {
    const headers = { "if-match": "*" };
    for (const [method, path] of [
      ["PUT", "assignment"],
      ["PUT", "log-level"],
      ["POST", "profile"],
    ] as const)
      await expectRefused(`http://127.0.0.1:${switcher.switcher.ports.admin}/admin/v1/${path}`, {
        method,
        headers,
        body,
      });
  });
  each(
    "of bodies at a gateway",
    JSON_TEXTS,
    async body => {
      await expectRefused(`${gateway.url}/v1/pipelines/test/numbers`, { method: "POST", body });
      await expectRefused(`${gateway.url}/v1/pipelines/test/numbers/labels`, { method: "POST", body });
    },
    SMALL_BYTES,
  );
}

async function expectRefused(url: string, init: RequestInit): Promise<void> {
  const answer = await fetch(url, init);
  const said = await answer.text();
  if (answer.status < 400 || answer.status > 499) throw new TypeError(`${url} answered ${answer.status}: ${said}`);
}
