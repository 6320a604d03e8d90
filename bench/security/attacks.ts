/** The attacks: on memory, each for as long as it is told to, and single inputs that keep a main thread busy. */
import { gzipSync } from "node:zlib";
import { MOST_PIPELINED } from "../../runtime/answering-server.ts";
import { encodeField, GrpcConnection, openSocket, sendRequest, writeHead, writePaced } from "./connections.ts";

export type TargetName = "switcher" | "gateway" | "scaler";
export type Ports = Readonly<Record<"http" | "grpc" | "keda", number>>;

interface Attack {
  readonly target: TargetName;
  /** Goes on until `untilMs` (on the clock of performance.now()) or until it has sent all that it may. */
  readonly run: (ports: Ports, untilMs: number) => Promise<void>;
}

const MIB = 1024 * 1024;
export const STAGE = "image";
export const INFER = `/v2/models/${STAGE}/infer`;
export const PIPELINE_PATH = "/v1/pipelines/default/id-card";
const GRPC_INFER = "/inference.GRPCInferenceService/ModelInfer";
const KEDA_SPEC = "/externalscaler.ExternalScaler/GetMetricSpec";
const FOLLOW = "/variscale.switcher.v1.SwitcherControl/Follow";
const DECISIONS = "/api/v1/pipelines/default/id-card/decisions?limit=500";
/** Clients of one attack at once. */
const CLIENTS = 8;
/** Connections whose answers nobody reads: every port takes some more, so that others are answered. */
const DEAF_CLIENTS = 900;

const emptyTensors = (bytes: number): Buffer => Buffer.alloc(bytes & ~1, Buffer.from([0x2a, 0]));
const emptyLists = (bytes: number): Buffer => Buffer.from(`{"inputs":[${"[],".repeat(bytes / 3)}[]]}`);

/** Attacks on memory, by the findings that they come from. */
export const MEMORY_ATTACKS: Readonly<Record<string, Attack>> = {
  inflatedJson: {
    target: "switcher",
    run: sendRequests(INFER, () => gzipSync(emptyLists(32 * MIB)), { "content-encoding": "gzip" }),
  },
  inflatedRepositoryJson: {
    target: "switcher",
    run: sendRequests("/v2/repository/index", () => gzipSync(emptyLists(32 * MIB)), { "content-encoding": "gzip" }),
  },
  unfinishedBodies: { target: "switcher", run: stallBodies(INFER, 200, 32 * MIB, MIB) },
  oneByteChunks: { target: "switcher", run: sendOneByteChunks(INFER) },
  unreadAnswers: { target: "switcher", run: leaveAnswersUnread("POST", INFER, inferBody(8)) },
  idleConnections: { target: "switcher", run: openIdleConnections },
  emptyTensors: { target: "switcher", run: sendMessages("grpc", GRPC_INFER, () => emptyTensors(1_000_000)) },
  unfinishedMessages: { target: "switcher", run: leaveMessagesUnfinished("grpc", GRPC_INFER, 4, 120, MIB, 30 * MIB) },
  openStreams: { target: "switcher", run: leaveMessagesUnfinished("grpc", GRPC_INFER, 4, 3000, 0, 0) },
  gatewayUnfinishedBodies: { target: "gateway", run: stallBodies(PIPELINE_PATH, 64, 16 * MIB, 16 * MIB - 1) },
  gatewayOneByteChunks: { target: "gateway", run: sendOneByteChunks(PIPELINE_PATH) },
  gatewayUnreadAnswers: { target: "gateway", run: leaveAnswersUnread("GET", "/metrics", "") },
  gatewayIdleConnections: { target: "gateway", run: openIdleConnections },
  longNames: { target: "scaler", run: askWithLongNames },
  kedaUnfinishedMessages: { target: "scaler", run: leaveMessagesUnfinished("keda", KEDA_SPEC, 6, 500, 60_000, 64_000) },
  switcherUnfinishedMessages: {
    target: "scaler",
    run: leaveMessagesUnfinished("grpc", FOLLOW, 40, 8, MIB - 64, MIB - 1),
  },
  silentSwitchers: { target: "scaler", run: leaveMessagesUnfinished("grpc", FOLLOW, 400, 8, 0, 0) },
  unreadDecisions: { target: "scaler", run: leaveAnswersUnread("GET", DECISIONS, "") },
  metricsScrapes: { target: "scaler", run: leaveAnswersUnread("GET", "/metrics", "") },
  scalerIdleConnections: { target: "scaler", run: openIdleConnections },
};

/** An input of at most a MiB, or as many smaller ones as make a MiB where a port takes no larger ones. */
interface Input {
  readonly target: TargetName;
  readonly send: (ports: Ports) => Promise<unknown>;
}

const escapedQuotes = `{"a":1234567890123456,"b":"${'\\"'.repeat(MIB / 2 - 32)}`;
const deepJson = "[".repeat(MIB - 1);
const wideNumbers = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[${"1,".repeat(MIB / 2 - 100)}1]}]}`;
const makeInflatedBlanks = (): Buffer => gzipSync(Buffer.alloc(512 * MIB, 0x20));

export const BLOCKING_INPUTS: Readonly<Record<string, Input>> = {
  escapedQuotes: { target: "switcher", send: post(INFER, escapedQuotes) },
  repositoryEscapedQuotes: { target: "switcher", send: post("/v2/repository/index", escapedQuotes) },
  deepJson: { target: "switcher", send: post(INFER, deepJson) },
  wideJson: { target: "switcher", send: post(INFER, emptyLists(MIB - 32)) },
  wideNumbers: { target: "switcher", send: post(INFER, wideNumbers) },
  inflatedBlanks: {
    target: "switcher",
    send: ports => post(INFER, makeInflatedBlanks(), { "content-encoding": "gzip" })(ports),
  },
  emptyTensors: { target: "switcher", send: ports => callOnce(ports.grpc, GRPC_INFER, emptyTensors(MIB - 64)) },
  packedNumbers: { target: "switcher", send: ports => callOnce(ports.grpc, GRPC_INFER, packedNumbers()) },
  gatewayDeepJson: { target: "gateway", send: post(PIPELINE_PATH, deepJson) },
  gatewayWideJson: { target: "gateway", send: post(PIPELINE_PATH, emptyLists(MIB - 32)) },
  gatewayLabels: { target: "gateway", send: post(`${PIPELINE_PATH}/labels`, deepJson) },
  kedaMetadata: {
    target: "scaler",
    send: async ports => {
      const entry = encodeField(3, Buffer.concat([encodeField(1, "k"), encodeField(2, "v")]));
      const message = Buffer.concat(Array.from({ length: Math.floor(60_000 / entry.length) }, () => entry));
      await Promise.all(Array.from({ length: 17 }, () => callOnce(ports.keda, KEDA_SPEC, message)));
    },
  },
  switcherStatus: {
    target: "scaler",
    // Each service time is empty: two bytes become an object.
    send: ports => callOnce(ports.grpc, FOLLOW, encodeField(2, Buffer.alloc(MIB - 64, Buffer.from([0x7a, 0])))),
  },
  scalerDeepJson: {
    target: "scaler",
    send: ports =>
      Promise.all(
        Array.from({ length: 16 }, () =>
          sendText(ports.http, "PUT", "/api/v1/pipelines/default/id-card/mode", "[".repeat(64 * 1024 - 1)),
        ),
      ),
  },
};

/** A request that the switcher of the bench serves. */
export function inferBody(rows: number): string {
  const inputs = [{ name: "x", datatype: "FP32", shape: [rows, 4], data: Array.from({ length: rows * 4 }, () => 1) }];
  return JSON.stringify({ inputs });
}

function packedNumbers(): Buffer {
  const contents = encodeField(3, Buffer.alloc(MIB - 256, 1));
  return Buffer.concat([
    encodeField(1, STAGE),
    encodeField(5, Buffer.concat([encodeField(1, "x"), encodeField(5, contents)])),
  ]);
}

function post(path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) {
  return (ports: Ports): Promise<number | null> => sendText(ports.http, "POST", path, body, headers);
}

function sendText(
  port: number,
  method: string,
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<number | null> {
  const bytes = Buffer.from(body);
  return sendRequest(port, writeHead(method, path, { "content-length": bytes.length, ...headers }), bytes);
}

async function callOnce(port: number, path: string, message: Uint8Array): Promise<void> {
  const connection = new GrpcConnection(port);
  await Promise.race([connection.call(path, message), sleep(30_000)]);
  connection.close();
}

/** Whole requests, one after the other on each of some connections. */
function sendRequests(
  path: string,
  makeBody: () => Uint8Array,
  headers: Readonly<Record<string, string>>,
): Attack["run"] {
  return async ({ http }, untilMs) => {
    const body = makeBody();
    await inParallel(CLIENTS, untilMs, () => sendText(http, "POST", path, body, headers));
  };
}

/** Requests whose bodies stop short of what they declare. */
function stallBodies(path: string, connections: number, declared: number, sent: number): Attack["run"] {
  return async ({ http }, untilMs) => {
    await inParallel(connections, untilMs, async () => {
      const socket = openSocket(http);
      socket.resume();
      socket.write(writeHead("POST", path, { "content-length": declared }));
      writePaced(socket, Buffer.alloc(sent, 0x20), () => undefined);
      await waitForEnd(socket, untilMs);
    });
  };
}

/** Chunks of one byte, as many to a write as a packet takes. */
function sendOneByteChunks(path: string): Attack["run"] {
  const chunks = Buffer.from("1\r\n \r\n".repeat(10_000));
  return async ({ http }, untilMs) => {
    await inParallel(CLIENTS * 2, untilMs, async () => {
      const socket = openSocket(http);
      socket.resume();
      socket.write(writeHead("POST", path, { "transfer-encoding": "chunked" }));
      const goOn = (): void => {
        while (!socket.destroyed && performance.now() < untilMs) if (!socket.write(chunks)) return;
      };
      socket.on("drain", goOn);
      goOn();
      await waitForEnd(socket, untilMs);
    });
  };
}

/** As many requests as a connection may have at once on each of many, whose answers nobody reads. */
function leaveAnswersUnread(method: string, path: string, body: string): Attack["run"] {
  const request = `${writeHead(method, path, { "content-length": Buffer.byteLength(body) })}${body}`;
  return async ({ http }, untilMs) => {
    await inParallel(DEAF_CLIENTS, untilMs, async () => {
      const socket = openSocket(http);
      socket.pause();
      socket.write(request.repeat(MOST_PIPELINED));
      await waitForEnd(socket, untilMs);
    });
  };
}

async function openIdleConnections({ http }: Ports, untilMs: number): Promise<void> {
  await inParallel(4000, untilMs, async () => {
    const socket = openSocket(http);
    socket.resume();
    await waitForEnd(socket, untilMs);
  });
}

/** Whole messages, one after the other on each of some connections. */
function sendMessages(port: keyof Ports, path: string, makeMessage: () => Uint8Array): Attack["run"] {
  return async (ports, untilMs) => {
    const message = makeMessage();
    await inParallel(CLIENTS, untilMs, () => callOnce(ports[port], path, message));
  };
}

/** Calls that send a part of a message, or nothing, and stay open. */
function leaveMessagesUnfinished(
  port: keyof Ports,
  path: string,
  connections: number,
  calls: number,
  sent: number,
  announced: number,
): Attack["run"] {
  const bytes = Buffer.alloc(sent);
  return async (ports, untilMs) => {
    await inParallel(connections, untilMs, async () => {
      const connection = new GrpcConnection(ports[port]);
      const ended = Array.from({ length: calls }, () => connection.call(path, bytes, announced));
      await Promise.race([Promise.all(ended), sleep(untilMs - performance.now())]);
      connection.close();
    });
  };
}

/** ScaledObjects with different names of 60 kB: what remembers refusals by their names keeps them. */
async function askWithLongNames({ keda }: Ports, untilMs: number): Promise<void> {
  const connection = new GrpcConnection(keda);
  let name = 0;
  await inParallel(CLIENTS, untilMs, async () => {
    name += 1;
    const message = Buffer.concat([encodeField(1, `${name}`.padEnd(60_000, "x")), encodeField(2, "default")]);
    await Promise.race([connection.call(KEDA_SPEC, message), sleep(5000)]);
  });
  connection.close();
}

/** Repeats what may end early in each of some slots; a slot that is refused waits before it tries again. */
async function inParallel(slots: number, untilMs: number, act: () => Promise<unknown>): Promise<void> {
  const repeat = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const beganMs = performance.now();
      await act();
      if (performance.now() - beganMs < 5) await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: slots }, repeat));
}

function waitForEnd(socket: ReturnType<typeof openSocket>, untilMs: number): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, untilMs - performance.now()));
    socket.once("close", end);
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(0, ms)));
}
