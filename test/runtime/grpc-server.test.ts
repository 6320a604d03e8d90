import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { gzipSync } from "node:zlib";
import { type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import type { ProtoGrpcType } from "../../proto/generated/open_inference.ts";
import type { ProtoGrpcType as SwitcherProto } from "../../proto/generated/switcher.ts";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { loadProto } from "../../runtime/grpc.ts";
import { GrpcPort } from "../../runtime/grpc-port.ts";
import { GrpcServer, type GrpcServerOptions } from "../../runtime/grpc-server.ts";
import { InferenceClient } from "../support/inference-client.ts";
import { until } from "../support/until.ts";
import { makeHttp2Frame } from "./http/http2-frame.ts";

const MIB = 1024 * 1024;
const BUDGET_BYTES = 8 * MIB;
const MOST_MESSAGE_BYTES = 5 * MIB;
const PATH = "/inference.GRPCInferenceService/ModelInfer";
const HEADERS = { ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" };
const FOLLOW_PATH = "/variscale.switcher.v1.SwitcherControl/Follow";
const { service: followService } = loadProto<SwitcherProto>("switcher.proto").variscale.switcher.v1.SwitcherControl;
const { service } = loadProto<ProtoGrpcType>("open_inference.proto").inference.GRPCInferenceService;

type Call = ServerUnaryCall<{ readonly id: string }, object>;

describe("GrpcServer", () => {
  let budget: ByteBudget;
  let server: GrpcServer;
  let port: GrpcPort;
  let client: InferenceClient;
  let sessions: ClientHttp2Session[] = [];
  let logged: string[] = [];
  let handle: (call: Call, answer: sendUnaryData<object>) => void;

  /** Starts a server whose times are long where they are not given, as a busy machine takes its time. */
  async function start(
    times: GrpcServerOptions["times"] = {},
    options: Partial<GrpcServerOptions> = {},
  ): Promise<void> {
    budget = new ByteBudget(BUDGET_BYTES);
    handle = (call, answer) => answer(null, { id: call.request.id });
    const logger = pino({ level: "info" }, { write: line => void logged.push(line) });
    server = new GrpcServer({
      protoFile: "open_inference.proto",
      serviceName: "inference.GRPCInferenceService",
      definition: service,
      handlers: { ModelInfer: (call: Call, answer: sendUnaryData<object>) => handle(call, answer) },
      isReflected: true,
      ...{ budget, logger, maxMessageBytes: MOST_MESSAGE_BYTES, maxCallsOfConnection: 256 },
      decodeLimits: { objects: 262_144, entries: { inputs: 64 } },
      times: { roomWithinMs: 60_000, sweepMs: 20, ...times },
      ...options,
    });
    port = await GrpcPort.start({
      ...{ host: "127.0.0.1", port: 0, tls: null, maxConnections: 4, logger },
      load: () => Promise.resolve(server),
    });
    client = new InferenceClient(port.port);
  }

  async function stop(): Promise<void> {
    client.close();
    for (const session of sessions) session.destroy();
    await port.close(0);
    assert.equal(budget.usedBytes, 0, "all bytes were given back");
  }

  async function restart(...options: Parameters<typeof start>): Promise<void> {
    await stop();
    await start(...options);
  }

  beforeEach(() => {
    logged = [];
    sessions = [];
    return start();
  });
  afterEach(stop);

  /** Resolves when the connection has ended, in whatever way. */
  const waitForEnd = (session: ClientHttp2Session) => new Promise(resolve => session.once("close", resolve));

  function open(settings = {}): ClientHttp2Session {
    const session = connect(`http://127.0.0.1:${port.port}`, { settings });
    session.on("error", () => undefined);
    sessions.push(session);
    return session;
  }

  function begin(session: ClientHttp2Session, headers = {}): ClientHttp2Stream {
    const stream = session.request({ ...HEADERS, ...headers });
    stream.on("error", () => undefined);
    return stream;
  }

  /** The code and the text that a call was ended with. */
  async function readEnd(stream: ClientHttp2Stream): Promise<readonly [number, string]> {
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    const trailers = "grpc-status" in headers ? headers : ((await once(stream, "trailers")) as [typeof headers])[0];
    return [Number(trailers["grpc-status"]), decodeURI(String(trailers["grpc-message"] ?? ""))];
  }

  const serves = async () => assert.ok(await client.call("ModelInfer", { id: "x" }));
  const serialize = (request: object) => service.ModelInfer.requestSerialize(request);

  it("reads a message however it is cut into pieces", async () => {
    const stream = begin(open());
    const bytes = frame(serialize({ id: "pieces" }));
    for (let i = 0; i < bytes.length; i++) {
      stream.write(bytes.subarray(i, i + 1));
      await new Promise(setImmediate);
    }
    stream.end();
    assert.equal((await readEnd(stream))[0], status.OK);
  });

  it("reads compressed messages, and refuses those that become too large", async () => {
    for (const [bytes, code] of [
      [serialize({ id: "small" }), status.OK],
      [Buffer.alloc(MOST_MESSAGE_BYTES + 1), status.RESOURCE_EXHAUSTED],
    ] as const) {
      const stream = begin(open(), { "grpc-encoding": "gzip" });
      stream.end(frame(gzipSync(bytes), 1));
      assert.equal((await readEnd(stream))[0], code);
    }
  });

  it("refuses a long message as soon as it says so, and what is no message", async () => {
    const long = begin(open());
    long.write(frame(Buffer.alloc(0), 0, MOST_MESSAGE_BYTES + 1));
    assert.equal((await readEnd(long))[0], status.RESOURCE_EXHAUSTED);
    const none = begin(open());
    none.end();
    assert.equal((await readEnd(none))[0], status.UNIMPLEMENTED);
    const wrong = begin(open());
    wrong.end(frame(Buffer.from([0x0a, 0x7f])));
    assert.equal((await readEnd(wrong))[0], status.INTERNAL);
    await serves();
  });

  it("ends a call at its deadline, and tells whoever works on it when its client is gone", async () => {
    const begun: string[] = [];
    const gone: string[] = [];
    handle = call => {
      begun.push(call.request.id);
      call.once("cancelled", () => gone.push(call.request.id));
    };
    await assert.rejects(client.call("ModelInfer", { id: "late" }, { deadlineMs: 50 }), {
      code: status.DEADLINE_EXCEEDED,
    });
    const stream = begin(open());
    stream.end(frame(serialize({ id: "left" })));
    await until(() => begun.length === 2);
    stream.close();
    await until(() => gone.length === 2);
  });

  it("gives an error's code, text and metadata", async () => {
    handle = (_call, answer) => answer({ code: status.NOT_FOUND, details: "no ä 😀" });
    const [code, details] = await client.failure("ModelInfer", {});
    assert.deepEqual([code, details], [status.NOT_FOUND, "no ä 😀"]);
  });

  it("stays within its budget where 120 calls never end their message, and serves others meanwhile", async () => {
    await restart({ roomWithinMs: 50 });
    const session = open();
    const closed = waitForEnd(session);
    let most = 0;
    const timer = setInterval(() => {
      most = Math.max(most, budget.usedBytes);
    }, 1);
    for (let i = 0; i < 120; i++)
      begin(session).write(Buffer.concat([frame(Buffer.alloc(0), 0, 4 * MIB), Buffer.alloc(MIB)]));
    await closed;
    clearInterval(timer);
    assert.ok(most <= BUDGET_BYTES && most > BUDGET_BYTES / 2, `${most} bytes`);
    assert.ok(logged.some(line => line.includes("requests need all memory that they may have")));
    await serves();
  });

  for (const [what, make] of [
    ["messages that are not whole", () => Buffer.concat([frame(Buffer.alloc(0), 0, 4 * MIB), Buffer.alloc(3 * MIB)])],
    [
      "whole messages of calls that it does not end",
      () => frame(serialize({ rawInputContents: [Buffer.alloc(3 * MIB)] })),
    ],
  ] as const)
    it(`ends the connection that holds most of ${what}, not one whose calls are worked on`, async () => {
      await restart({ roomWithinMs: 200 });
      let answer = () => {};
      handle = (call, done) => {
        answer = () => done(null, { id: call.request.id });
      };
      const worked = client.call("ModelInfer", { id: "worked", rawInputContents: [Buffer.alloc(4 * MIB)] });
      await until(() => budget.usedBytes > 4 * MIB);
      // It begins while there is room: later it would be refused at once, and would not wait.
      const waiting = begin(open());
      await until(() => server.openCalls === 2);
      const unfinished = open();
      const closed = waitForEnd(unfinished);
      begin(unfinished).write(make());
      await until(() => budget.usedBytes > 7 * MIB);
      waiting.write(frame(serialize({ rawInputContents: [Buffer.alloc(2 * MIB)] })));
      await closed;
      answer();
      assert.deepEqual(((await worked) as { id: string }).id, "worked");
    });

  it("holds refused metadata until its connection ends, and ends the one that goes on", async () => {
    const session = open();
    const closed = waitForEnd(session);
    const large = { "x-large": "x".repeat(9000) };
    assert.equal((await readEnd(begin(session, large)))[0], status.RESOURCE_EXHAUSTED);
    assert.ok(budget.usedBytes > 9000, String(budget.usedBytes));
    for (let i = 0; i < 60; i++) begin(session, large);
    await closed;
    assert.ok(logged.some(line => line.includes("its metadata is too large")));
    await serves();
  });

  it("lets clients wait where the budget is full for a moment, and ends no connection", async () => {
    const answers: (() => void)[] = [];
    handle = (call, answer) => answers.push(() => answer(null, { id: call.request.id }));
    const inputs = [Buffer.alloc(4 * MIB)];
    const first = client.call("ModelInfer", { rawInputContents: inputs });
    await until(() => answers.length === 1);
    const second = client.call("ModelInfer", { rawInputContents: inputs });
    await new Promise(resolve => setTimeout(resolve, 30));
    answers[0]?.();
    await first;
    await until(() => answers.length === 2);
    answers[1]?.();
    await second;
  });

  it("refuses calls where the budget has no room to begin them", async () => {
    const others = budget.hold();
    assert.ok(others.take(BUDGET_BYTES - 1000));
    const [code, details, metadata] = await client.failure("ModelInfer", { id: "x" });
    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.match(details, /bytes of requests are being worked on$/);
    assert.deepEqual(metadata.get("grpc-retry-pushback-ms"), ["1000"]);
    others.release();
    await serves();
  });

  it("takes 256 calls of a connection at once, of 3,000", async () => {
    let calls = 0;
    let open256 = 0;
    handle = (_call, answer) => {
      calls++;
      open256 = Math.max(open256, calls);
      setTimeout(() => {
        calls--;
        answer(null, {});
      }, 20);
    };
    const session = open();
    session.setMaxListeners(0);
    const message = frame(serialize({ id: "many" }));
    const ended = Array.from({ length: 3000 }, () => {
      const stream = begin(session);
      stream.end(message);
      return once(stream.resume(), "close");
    });
    await Promise.all(ended);
    assert.ok(open256 <= 256, `${open256} at once`);
    await serves();
  });

  it("takes so many connections as it may, and closes others", async () => {
    const others = Array.from({ length: 6 }, () => open());
    await until(() => others.filter(({ destroyed }) => destroyed).length >= 2);
  });

  it("refuses 300,000 empty inputs in one message before it is decoded", async () => {
    const stream = begin(open());
    stream.end(frame(Buffer.alloc(600_000, Buffer.from([0x2a, 0]))));
    assert.deepEqual(await readEnd(stream), [
      status.RESOURCE_EXHAUSTED,
      "the message has more than 64 entries in `inputs`",
    ]);
  });

  it("ends a call whose message does not come in time, and a connection that leaves calls open", async () => {
    await restart({ messageWithinMs: 400, endWithinMs: 200 });
    const session = open();
    const closed = waitForEnd(session);
    const stream = begin(session);
    stream.write(frame(Buffer.alloc(10), 0, 1000));
    assert.deepEqual(await readEnd(stream), [status.DEADLINE_EXCEEDED, "the message did not come within 0.4 s"]);
    await closed;
  });

  it("ends the connection of a client that never reads its answer", async () => {
    await restart({ readWithinMs: 200 });
    handle = (_call, answer) => answer(null, { rawOutputContents: [Buffer.alloc(100_000)] });
    const session = open({ initialWindowSize: 0 });
    const closed = waitForEnd(session);
    begin(session).end(frame(serialize({})));
    await closed;
    assert.ok(logged.some(line => line.includes("does not read answers")));
    await serves();
  });

  it("gives a client the time that a long answer takes, beside the time in which it must begin to read", async () => {
    await restart({ readWithinMs: 100 });
    handle = (_call, answer) => answer(null, { rawOutputContents: [Buffer.alloc(2 * MIB)] });
    const session = open({ initialWindowSize: 0 });
    const stream = begin(session);
    stream.end(frame(serialize({})));
    const ended = readEnd(stream);
    await new Promise(resolve => setTimeout(resolve, 600));
    session.settings({ initialWindowSize: 4 * MIB });
    session.setLocalWindowSize(4 * MIB);
    assert.equal((await ended)[0], status.OK);
  });

  it("forgets calls that are reset in the moment in which they begin", async () => {
    const calls = [...Array(100).keys()].map(i => {
      const headers = makeHttp2Frame(1, 4, 2 * i + 1, headerBlock(HEADERS));
      return Buffer.concat([headers, makeHttp2Frame(3, 0, 2 * i + 1, Buffer.from([0, 0, 0, 8]))]);
    });
    const socket = connectTcp(port.port, "127.0.0.1").on("error", () => undefined);
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), makeHttp2Frame(4, 0, 0), ...calls]));
    // The answer to the ping comes once all calls have been looked at.
    socket.write(makeHttp2Frame(6, 0, 0, Buffer.alloc(8, 7)));
    const received: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => received.push(bytes));
    await until(() => Buffer.concat(received).includes(Buffer.alloc(8, 7)));
    await new Promise(setImmediate);
    assert.equal(server.openCalls, 0);
    socket.destroy();
    await serves();
    await until(() => server.openCalls === 0);
  });

  it("holds nothing of the messages of a stream that its handler has taken", async () => {
    let taken = 0;
    const Follow = (call: ServerDuplexStream<object, object>) => {
      call.on("error", () => undefined).on("data", () => taken++);
    };
    await restart(undefined, {
      ...{ protoFile: "switcher.proto", serviceName: "variscale.switcher.v1.SwitcherControl" },
      ...{ definition: followService, handlers: { Follow } },
    });
    const serviceTimes = Array.from({ length: 1000 }, (_, i) => ({ variant: "v", rows: i, batches: "1", totalMs: 1 }));
    const report = frame(followService.Follow.requestSerialize({ status: { serviceTimes } }));
    const session = open();
    for (let i = 1; i <= 30; i++) {
      begin(session, { ":path": FOLLOW_PATH }).write(report);
      await until(() => taken === i);
    }
    assert.ok(budget.usedBytes < 30 * 9 * 1024, String(budget.usedBytes));
  });

  it("answers for its health where the budget has no room to begin other calls", async () => {
    const others = budget.hold();
    assert.ok(others.take(BUDGET_BYTES - 100_000));
    const stream = begin(open(), { ":path": "/grpc.health.v1.Health/Check" });
    stream.end(frame(Buffer.alloc(0)));
    assert.equal((await readEnd(stream))[0], status.OK);
    others.release();
  });

  it("begins no stream of answers that would leave less than a quarter of the budget to other calls", async () => {
    const others = budget.hold();
    assert.ok(others.take(0.8 * BUDGET_BYTES));
    const stream = begin(open(), { ":path": "/grpc.health.v1.Health/Watch" });
    stream.end(frame(Buffer.alloc(0)));
    assert.equal((await readEnd(stream))[0], status.RESOURCE_EXHAUSTED);
    await serves();
    others.release();
  });

  it("ends no stream of reflection that has asked something and is idle", async () => {
    await restart({ messageWithinMs: 100 });
    const stream = begin(open(), { ":path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" });
    const ended = readEnd(stream);
    stream.write(frame(Buffer.from([0x3a, 0])));
    await new Promise(resolve => setTimeout(resolve, 400));
    stream.end(frame(Buffer.from([0x3a, 0])));
    assert.equal((await ended)[0], status.OK);
  });

  it("tells the calls whose message it has no room for, before it ends their connection", async () => {
    await restart({ roomWithinMs: 50 });
    const session = open();
    const closed = waitForEnd(session);
    const streams = [1, 2].map(() => begin(session));
    const ends = streams.map(readEnd);
    for (const stream of streams)
      stream.write(Buffer.concat([frame(Buffer.alloc(0), 0, 5 * MIB), Buffer.alloc(4.5 * MIB)]));
    for (const [code, details] of await Promise.all(ends)) {
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      assert.match(details, /bytes of requests are being worked on$/);
    }
    await closed;
    await serves();
  });

  it("reads no more questions of a stream whose client does not read the answers", async () => {
    await restart({ readWithinMs: 1000 });
    const session = open({ initialWindowSize: 0 });
    const stream = begin(session, { ":path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" });
    const question = frame(Buffer.from([0x3a, 0]));
    const closed = waitForEnd(session);
    for (let i = 0; i < 200; i++) {
      stream.write(question);
      await new Promise(setImmediate);
    }
    assert.ok(budget.usedBytes < MIB, String(budget.usedBytes));
    await closed;
    assert.ok(logged.some(line => line.includes("does not read answers")));
  });

  it("refuses metadata of more than 8 KiB, and a frame of many messages", async () => {
    const large = begin(open(), { "x-large": "x".repeat(9000) });
    large.end(frame(serialize({})));
    assert.equal((await readEnd(large))[0], status.RESOURCE_EXHAUSTED);
    const session = open();
    const closed = waitForEnd(session);
    begin(session).write(Buffer.alloc(5 * 3000));
    await closed;
    assert.ok(logged.some(line => line.includes("a gRPC connection was ended: it sent")));
    await serves();
  });

  it("answers at its end what was asked for, and tells those that it ends who have no answer in time", async () => {
    const answers: (() => void)[] = [];
    handle = (call, answer) => answers.push(() => answer(null, { id: call.request.id }));
    const [answered, cut] = [client.call("ModelInfer", { id: "1" }), client.failure("ModelInfer", { id: "2" })];
    await until(() => answers.length === 2);
    const closed = port.close(200);
    answers[0]?.();
    assert.deepEqual(((await answered) as { id: string }).id, "1");
    const [code, details] = await cut;
    assert.deepEqual([code, details], [status.UNAVAILABLE, "the server ended before the call had an answer"]);
    await closed;
  });
});

function frame(message: Buffer, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Headers in the form of HPACK that needs no tables: literal, without indexing. */
function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => Buffer.from([value.length, ...Buffer.from(value)]);
  const all = Object.entries({ ...headers, ":scheme": "http", ":authority": "x" });
  const sorted = all.sort(([a], [b]) => Number(b.startsWith(":")) - Number(a.startsWith(":")));
  return Buffer.concat(sorted.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}
