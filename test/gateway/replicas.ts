import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a replica of these tests got: rows of two bytes, tensor `x`. */
export interface SeenCall {
  readonly path: string;
  readonly rows: readonly (readonly number[])[];
  readonly timeoutMs: number;
  readonly sloTimeoutMs: number;
  readonly id: string;
  /** Its header `x-sequence-id`. */
  readonly sequenceId: string | undefined;
  /** Its header `x-variscale-keep`. */
  readonly atMost: string | undefined;
  /** Its headers of W3C Trace Context. */
  readonly trace: Readonly<Record<string, unknown>>;
}

export interface Replica {
  readonly address: string;
  readonly calls: SeenCall[];
  /** Calls that the gateway cut before they had an answer. */
  cuts: number;
  /** Serves another variant from now on. */
  variant: string;
  /** It was closed. */
  isGone: boolean;
  /** Parameters of its answers. */
  parameters: Readonly<Record<string, unknown>>;
  /** It takes calls and does not answer them. */
  isSilent: boolean;
  close(): Promise<void>;
}

type Behave = (call: SeenCall, response: ServerResponse, replica: Replica) => void | Promise<void>;

/** `y` of a row is its first byte plus 1000 times its second one: tells rows apart. */
const numberIn = (row: readonly number[]): number => (row[0] ?? 0) + 1000 * (row[1] ?? 0);

/** Answers every row at once. */
export const startEchoReplica = (variant = "light") => startReplica(variant, answer);

/** Answers after `delayMs` for each row, one call after the other, as a model would. */
export function startSlowReplica(delayMs: number, variant = "light"): Promise<Replica> {
  let last = Promise.resolve();
  return startReplica(variant, (call, response, replica) => {
    last = last.then(() => new Promise(resolve => setTimeout(resolve, delayMs * call.rows.length)));
    return last.then(() => answer(call, response, replica));
  });
}

/** Takes calls and never answers. */
export const startSilentReplica = () => startReplica("light", () => {});

/** Answers `status` to everything. */
export const startFailingReplica = (status: number) =>
  startReplica("light", (_call, response) => refuse(response, status));

/** Its queue is always full. */
export const startFullReplica = () => startFailingReplica(503);

/** Cuts the connection instead of answering. */
export const startResettingReplica = (delayMs = 0) =>
  startReplica("light", async (_call, response) => {
    if (delayMs > 0) await new Promise(resolve => setTimeout(resolve, delayMs));
    response.socket?.resetAndDestroy();
  });

/** Answers once on each connection and resets it when it is used again, as if it had just closed it for being idle. */
export function startForgettingReplica(): Promise<Replica> {
  const used = new WeakSet<object>();
  return startReplica("light", (call, response, replica) => {
    const { socket } = response;
    if (socket === null || used.has(socket)) return void socket?.resetAndDestroy();
    used.add(socket);
    answer(call, response, replica);
  });
}

/** Answers until a row has `deadly` as its first byte: then it is gone, as a process that crashes is. */
export function startMortalReplica(deadly: number): Promise<Replica> {
  return startReplica("light", async (call, response, replica) => {
    if (call.rows.some(([first]) => first === deadly)) await replica.close();
    else answer(call, response, replica);
  });
}

/** Answers once on each connection. When one is used again it is gone, as if it had ended and closed its idle connections just before. */
export function startEndingReplica(): Promise<Replica> {
  const used = new WeakSet<object>();
  return startReplica("light", async (call, response, replica) => {
    const { socket } = response;
    if (socket === null || used.has(socket)) return await replica.close();
    used.add(socket);
    answer(call, response, replica);
  });
}

/** Does what `choose` says for each call. */
export function startMoodyReplica(
  choose: () => "answer" | "reset" | "full" | "late" | "fail" | "lie",
): Promise<Replica> {
  return startReplica("light", (call, response, replica) => {
    switch (choose()) {
      case "answer":
        return answer(call, response, replica);
      case "reset":
        return void response.socket?.resetAndDestroy();
      case "full":
        return refuse(response, 503);
      case "late":
        return refuse(response, 504);
      case "fail":
        return refuse(response, 500);
      case "lie":
        return void response.writeHead(200).end("{");
    }
  });
}

/** Answers with what `make` gives: for answers that break the protocol. */
export const startLyingReplica = (make: (call: SeenCall) => { headers?: Record<string, string>; body: Buffer }) =>
  startReplica("light", (call, response) => {
    const { headers, body } = make(call);
    response.writeHead(200, headers).end(body);
  });

export function encodeAnswer(
  call: SeenCall,
  variant: string,
  change: Record<string, unknown> = {},
  parameters: Replica["parameters"] = {},
) {
  const data = Buffer.from(new Float32Array(call.rows.map(numberIn)).buffer);
  const size = { binary_data_size: data.length };
  const output = { name: "y", datatype: "FP32", shape: [call.rows.length, 1], parameters: size, ...change };
  const header = Buffer.from(
    JSON.stringify({ model_name: "m", model_version: variant, id: call.id, parameters, outputs: [output] }),
  );
  return {
    headers: { "inference-header-content-length": String(header.length) },
    body: Buffer.concat([header, data]),
  };
}

function answer(call: SeenCall, response: ServerResponse, replica: Replica): void {
  const { headers, body } = encodeAnswer(call, replica.variant, {}, replica.parameters);
  response.writeHead(200, headers).end(body);
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, status === 503 ? { "retry-after": "1" } : {}).end(JSON.stringify({ error: "no" }));
}

async function startReplica(variant: string, behave: Behave): Promise<Replica> {
  const server = createServer((request, response) => {
    read(request).then(
      call => {
        replica.calls.push(call);
        response.once("close", () => {
          if (!response.writableFinished) replica.cuts += 1;
        });
        return replica.isSilent ? undefined : behave(call, response, replica);
      },
      () => response.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const replica: Replica = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    cuts: 0,
    variant,
    isGone: false,
    parameters: {},
    isSilent: false,
    close: async () => {
      const closed = new Promise(resolve => server.close(resolve));
      server.closeAllConnections();
      replica.isGone = true;
      await closed;
    },
  };
  return replica;
}

async function read(request: IncomingMessage): Promise<SeenCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const headerBytes = Number(request.headers["inference-header-content-length"]);
  const header = JSON.parse(body.subarray(0, headerBytes).toString());
  const [input] = header.inputs;
  const data = body.subarray(headerBytes);
  if (input.name !== "x" || input.datatype !== "UINT8" || data.length !== input.parameters.binary_data_size)
    throw new Error("the gateway broke the protocol");
  const rows = Array.from({ length: input.shape[0] }, (_, i) => [...data.subarray(2 * i, 2 * i + 2)]);
  const { traceparent, tracestate } = request.headers;
  const trace = { ...(traceparent !== undefined && { traceparent }), ...(tracestate !== undefined && { tracestate }) };
  const { timeout_ms: timeoutMs, slo_timeout_ms: sloTimeoutMs } = header.parameters;
  const sequenceId = request.headers["x-sequence-id"] as string | undefined;
  const atMost = request.headers["x-variscale-keep"] as string | undefined;
  return { path: request.url ?? "", rows, timeoutMs, sloTimeoutMs, id: header.id, sequenceId, atMost, trace };
}
