import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import {
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { forGrpcJs, type UnaryCall, type UnaryHandlers } from "../../runtime/unary-call.ts";
import { takeUnaryCalls } from "../../runtime/unary-calls.ts";
import { until } from "../support/switcher-harness.ts";

const MOST_BYTES = 100_000;

/** Some texts can't be written, and some bytes can't be read. */
const TEXT = {
  serialize: (text: string): Buffer => {
    if (text === "unspeakable") throw new Error("can't be said");
    return Buffer.from(text);
  },
  deserialize: (bytes: Buffer): string => {
    if (bytes.includes(0xff)) throw new Error("no text");
    return bytes.toString();
  },
};
const method = (name: string) => ({
  path: `/test.Texts/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: (text: string) => Buffer.from(text),
  requestDeserialize: TEXT.deserialize,
  responseSerialize: TEXT.serialize,
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
});
const SERVICE = { Say: method("Say"), Never: method("Never"), Count: { ...method("Count"), responseStream: true } };

interface Ended {
  readonly code: number;
  readonly details: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

describe("takeUnaryCalls()", () => {
  let server: Server;
  let port: number;
  let client: Client;
  let session: ClientHttp2Session;
  /** What was called, by whom. */
  let calls: { readonly by: "grpc-js" | "HTTP/2"; readonly call: UnaryCall<string> }[];
  let gone: number;

  const handlersOf = (by: "grpc-js" | "HTTP/2"): UnaryHandlers => ({
    Say: (call: UnaryCall<string>, answer) => {
      calls.push({ by, call });
      const { request } = call;
      if (request === "throw") throw new Error("out of order");
      if (request === "fail by half") return answer({ code: status.ABORTED, details: "half of \ud800" });
      if (!request.startsWith("fail")) return answer(null, request);
      const metadata = new Metadata();
      metadata.set("why", "it was asked to");
      answer({ code: status.ABORTED, details: `über ${request}`, metadata });
    },
    Never: (call: UnaryCall<string>) => {
      calls.push({ by, call });
      call.onGone(() => gone++);
    },
  });

  beforeEach(async () => {
    calls = [];
    gone = 0;
    server = new Server({ "grpc.max_receive_message_length": MOST_BYTES });
    server.addService(SERVICE, {
      ...forGrpcJs(handlersOf("grpc-js")),
      // biome-ignore lint/suspicious/noExplicitAny: as grpc-js' own type of streams
      Count: (stream: any) => {
        stream.write("one");
        stream.end();
      },
    });
    port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    assert.equal(takeUnaryCalls(server, SERVICE, handlersOf("HTTP/2"), MOST_BYTES), true);
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    session = connect(`http://127.0.0.1:${port}`);
  });
  afterEach(() => {
    client.close();
    session.destroy();
    server.forceShutdown();
  });

  const call = (name: "Say" | "Never", text: string, metadata = new Metadata(), deadlineMs?: number) => {
    const { path, requestSerialize, responseDeserialize } = SERVICE[name];
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    let cancel = (): void => undefined;
    const ended = new Promise<string>((resolve, reject) => {
      const made = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        text,
        metadata,
        options,
        (error, value) => (error ? reject(error) : resolve(value ?? "")),
      );
      cancel = () => made.cancel();
    });
    return { ended, cancel: () => cancel() };
  };
  const open = (headers: Readonly<Record<string, string>> = {}, path = SERVICE.Say.path): ClientHttp2Stream =>
    session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
  const ended = async (stream: ClientHttp2Stream): Promise<Ended> => {
    let headers: Record<string, unknown> = {};
    let body = Buffer.alloc(0);
    stream.on("response", told => {
      headers = { ...headers, ...told };
    });
    stream.on("trailers", told => {
      headers = { ...headers, ...told };
    });
    stream.on("data", (piece: Buffer) => {
      body = Buffer.concat([body, piece]);
    });
    await once(stream, "close");
    const details = decodeURI(String(headers["grpc-message"] ?? ""));
    return { code: Number(headers["grpc-status"]), details, body: body.subarray(5).toString(), headers };
  };
  const sent = (pieces: readonly Buffer[], headers: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    const stream = open(headers);
    const end = ended(stream);
    for (const piece of pieces) stream.write(piece);
    stream.end();
    return end;
  };

  it("answers what grpc-js' clients ask, with the metadata and the time that they give", async () => {
    const metadata = new Metadata();
    metadata.set("x-request-id", "abc");
    assert.equal(await call("Say", "hällo", metadata, 5000).ended, "hällo");
    assert.equal(await call("Say", "").ended, "");
    const [first, second] = calls;
    assert.deepEqual([first?.by, second?.by], ["HTTP/2", "HTTP/2"]);
    assert.equal(first?.call.header("x-request-id"), "abc");
    assert.equal(first?.call.header("x-other"), null);
    const leftMs = first?.call.timeoutMs ?? 0;
    assert.ok(leftMs > 1000 && leftMs <= 5000, `${leftMs} ms left of 5000`);
    assert.equal(second?.call.timeoutMs, null);
  });

  it("gives errors with their details and metadata", async () => {
    const error = await call("Say", "fail, please").ended.then(
      () => assert.fail("answered"),
      (thrown: ServiceError) => thrown,
    );
    assert.deepEqual([error.code, error.details], [status.ABORTED, "über fail, please"]);
    assert.deepEqual(error.metadata.get("why"), ["it was asked to"]);
    await assert.rejects(call("Say", "unspeakable").ended, { code: status.INTERNAL });
    assert.equal(await call("Say", "and on").ended, "and on");
  });

  it("answers what its handler threw, and says what can't be encoded otherwise", async () => {
    await assert.rejects(call("Say", "throw").ended, { code: status.UNKNOWN });
    await assert.rejects(call("Say", "fail by half").ended, { code: status.ABORTED, details: "half of \uFFFD" });
    assert.equal(await call("Say", "and on").ended, "and on");
  });

  it("ends a call at its deadline that its handler does not answer, and tells it so", async () => {
    const stream = open({ "grpc-timeout": "50m" }, SERVICE.Never.path);
    stream.end(framed(Buffer.from("x")));
    const { code } = await ended(stream);
    await until(() => gone === 1, "told");
    assert.deepEqual([code, calls.length], [status.DEADLINE_EXCEEDED, 1]);
  });

  it("tells whoever works on a call that its client is gone", async () => {
    const { ended: end, cancel } = call("Never", "x");
    await until(() => calls.length === 1, "called");
    assert.equal(gone, 0);
    cancel();
    await assert.rejects(end, { code: status.CANCELLED });
    await until(() => gone === 1, "told");
  });

  it("reads a message however it is cut into pieces", async () => {
    const texts = fc
      .string({ unit: "binary", maxLength: 3000 })
      .filter(text => !text.startsWith("fail") && text !== "unspeakable");
    await fc.assert(
      fc.asyncProperty(texts, fc.array(fc.nat(3000), { maxLength: 6 }), async (text, cuts) => {
        const frame = framed(Buffer.from(text));
        const at = [0, ...cuts.map(cut => Math.min(cut, frame.length)).sort((a, b) => a - b), frame.length];
        const pieces = at.slice(1).map((end, i) => frame.subarray(at[i], end));
        const { code, body } = await sent(pieces.filter(({ length }) => length > 0));
        assert.deepEqual([code, body], [status.OK, Buffer.from(text).toString()]);
      }),
      { numRuns: 50 },
    );
    assert.ok(calls.every(({ by }) => by === "HTTP/2"));
  });

  for (const [name, pieces, code] of [
    ["no message", [], status.UNIMPLEMENTED],
    ["half a prefix", [Buffer.alloc(3)], status.INTERNAL],
    ["a message that ends early", [framed(Buffer.from("hello")).subarray(0, 8)], status.INTERNAL],
    ["two messages", [framed(Buffer.from("one")), framed(Buffer.from("two"))], status.UNIMPLEMENTED],
    [
      "two messages in one piece",
      [Buffer.concat([framed(Buffer.from("one")), framed(Buffer.from("two"))])],
      status.UNIMPLEMENTED,
    ],
    ["more than may be sent", [framed(Buffer.alloc(MOST_BYTES + 1, 97))], status.RESOURCE_EXHAUSTED],
    [
      "a length that may not be, in two pieces",
      [Buffer.from([0, 255]), Buffer.from([255, 255, 255])],
      status.RESOURCE_EXHAUSTED,
    ],
    [
      "a compressed message without its encoding",
      [Buffer.concat([Buffer.from([1]), framed(gzipSync("one")).subarray(1)])],
      status.INTERNAL,
    ],
    ["bytes that are no message", [framed(Buffer.from([0xff]))], status.INTERNAL],
  ] as const)
    it(`refuses ${name}, calls nobody, and goes on`, async () => {
      const end = await sent(pieces);
      assert.equal(end.code, code, end.details);
      assert.equal(end.body, "");
      assert.equal(calls.length, 0);
      assert.equal(await call("Say", "and on").ended, "and on");
    });

  it("refuses a long message as soon as it says so, without waiting for it", async () => {
    const stream = open();
    stream.write(framed(Buffer.alloc(MOST_BYTES + 1)).subarray(0, 5));
    // Its stream is closed although it did not end it.
    const end = await Promise.race([ended(stream), sleep(10_000, null, { ref: false })]);
    assert.equal(end?.code, status.RESOURCE_EXHAUSTED);
  });

  it("ends a call whose message never comes at its deadline", async () => {
    const end = await ended(open({ "grpc-timeout": "50m" }));
    assert.deepEqual([end.code, end.details, calls.length], [status.DEADLINE_EXCEEDED, "Deadline exceeded", 0]);
  });

  for (const [timeout, ms] of [
    ["2S", 2000],
    ["1H", 3_600_000],
    ["99999999H", 99_999_999 * 3_600_000],
    ["3M", 180_000],
    ["500000u", 500],
    ["99999999n", 100],
  ] as const)
    it(`reads the timeout ${timeout}`, async () => {
      const { code } = await sent([framed(Buffer.from("x"))], { "grpc-timeout": timeout });
      const leftMs = calls[0]?.call.timeoutMs ?? 0;
      assert.equal(code, status.OK);
      assert.ok(leftMs <= ms && leftMs > ms - 5000, `${leftMs} ms left`);
    });

  it("leaves to the server what is out of the ordinary, with the same handlers", async () => {
    const gzip = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
    });
    const { path, requestSerialize, responseDeserialize } = SERVICE.Say;
    const text = "long enough to be worth it ".repeat(100);
    const value = await new Promise((resolve, reject) =>
      gzip.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, (error, said) =>
        error ? reject(error) : resolve(said),
      ),
    );
    gzip.close();
    assert.equal(value, text);
    assert.equal((await sent([framed(Buffer.from("x"))], { "grpc-timeout": "soon" })).code, status.INTERNAL);
    assert.equal(
      (await sent([framed(Buffer.from("x"))], { "content-type": "application/grpc+other" })).code,
      status.OK,
    );
    assert.deepEqual(
      calls.map(({ by }) => by),
      ["grpc-js", "grpc-js"],
    );
    assert.equal((await sent([], { "content-type": "text/plain" })).headers[":status"], 415);
    const other = open({}, "/test.Texts/Other");
    other.end();
    assert.equal((await ended(other)).code, status.UNIMPLEMENTED);
    const streamed = open({}, SERVICE.Count.path);
    streamed.end(framed(Buffer.from("x")));
    const { code, body } = await ended(streamed);
    assert.deepEqual([code, body], [status.OK, "one"]);
  });

  it("survives clients that go away in the middle of a message, before and after it", async () => {
    for (const bytes of [0, 3, 8]) {
      const stream = open();
      stream.on("error", () => undefined);
      if (bytes > 0) stream.write(framed(Buffer.from("hello")).subarray(0, bytes));
      // Its answer comes after all that was sent before.
      await new Promise(resolve => session.ping(resolve));
      stream.close(constants.NGHTTP2_CANCEL);
      await once(stream, "close");
    }
    const away = connect(`http://127.0.0.1:${port}`);
    away.on("error", () => undefined);
    const stream = away.request({ ":method": "POST", ":path": SERVICE.Never.path, "content-type": "application/grpc" });
    stream.on("error", () => undefined);
    stream.end(framed(Buffer.from("x")));
    await until(() => calls.length === 1, "called");
    away.destroy();
    await until(() => gone === 1, "told");
    assert.equal(await call("Say", "and on").ended, "and on");
  });

  it("answers at shutdown what was asked for before", async () => {
    let answer = (_text: string): void => undefined;
    const late = new Server();
    const slow: UnaryHandlers = {
      Say: (_call, say) => {
        answer = text => say(null, text);
      },
    };
    late.addService({ Say: SERVICE.Say }, forGrpcJs(slow));
    const latePort = await new Promise<number>(resolve =>
      late.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_error, bound) => resolve(bound)),
    );
    takeUnaryCalls(late, SERVICE, slow, MOST_BYTES);
    const lateClient = new Client(`127.0.0.1:${latePort}`, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = SERVICE.Say;
    const said = new Promise<string | undefined>((resolve, reject) =>
      lateClient.makeUnaryRequest(path, requestSerialize, responseDeserialize, "x", (error, value) =>
        error ? reject(error) : resolve(value),
      ),
    );
    const before = answer;
    await until(() => answer !== before, "called");
    const down = new Promise<void>(resolve => late.tryShutdown(() => resolve()));
    answer("in time");
    assert.equal(await said, "in time");
    lateClient.close();
    await down;
  });

  it("takes nothing from a server that listens otherwise", () => {
    assert.equal(takeUnaryCalls({} as Server, SERVICE, handlersOf("HTTP/2"), MOST_BYTES), false);
    assert.equal(takeUnaryCalls(new Server(), SERVICE, handlersOf("HTTP/2"), MOST_BYTES), false);
    for (const http2Server of (
      server as unknown as { http2Servers: Map<NodeJS.EventEmitter, unknown> }
    ).http2Servers.keys())
      http2Server.on("stream", () => undefined);
    assert.equal(takeUnaryCalls(server, SERVICE, handlersOf("HTTP/2"), MOST_BYTES), false);
  });
});

function framed(message: Buffer): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}
