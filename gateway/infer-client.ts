import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { VariscaleError } from "../domain/errors.ts";
import type { StageContract } from "../domain/tensor.ts";
import { type DecodedResponse, decodeInferResponse, type EncodedRequest, encodeInferRequest } from "./infer-codec.ts";
import type { Row } from "./stage.ts";

export interface InferCall {
  readonly id: string;
  readonly rows: readonly Row[];
  /** What the replica may take; it drops the rows itself when they can't be done in time. */
  readonly timeoutMs: number;
  /** Aborted: nobody wants the answer, so the connection is cut and the replica can stop. */
  readonly signal: AbortSignal;
}

/** What became of a call. Never thrown: every one of them is to be expected. */
export type InferResult =
  | ({ readonly kind: "answered" } & DecodedResponse)
  /** 503: its queue is full, or it is going away. */
  | { readonly kind: "full" }
  /** 504: not done within `timeoutMs`. */
  | { readonly kind: "late" }
  /** Refused, reset or no answer; `wasSent` false: there was no connection, so the replica never saw the call. */
  | { readonly kind: "unreachable"; readonly error: VariscaleError; readonly wasSent: boolean }
  /** Any other status, or an answer that breaks the contract. */
  | { readonly kind: "wrong"; readonly error: VariscaleError };

/** An answer larger than this is not read. */
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;
/** A replica that is silent for this long after the deadline counts as gone. */
const SILENCE_MS = 2000;
/** Unused connections close before the replica closes them (65 s), so that few calls meet a closing one. */
const IDLE_MS = 30_000;

interface Reply {
  readonly status: number;
  readonly headerLength: string | undefined;
  readonly body: Buffer;
}

/** Speaks the Open Inference Protocol with one replica, over its own keep-alive connections. */
export class InferClient {
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  readonly #target: { readonly host: string; readonly port: number };
  readonly #path: string;
  readonly #contract: StageContract;

  constructor(address: string, stage: string, contract: StageContract) {
    this.#target = splitAddress(address);
    this.#path = `/v2/models/${encodeURIComponent(stage)}/infer`;
    this.#contract = contract;
  }

  async infer(call: InferCall): Promise<InferResult> {
    const encoded = encodeInferRequest(this.#contract, call.rows, { id: call.id, timeoutMs: call.timeoutMs });
    let reply: Reply;
    try {
      reply = await this.#send(encoded, call, "anyConnection");
    } catch (error) {
      const message = `replica at ${this.#target.host}:${this.#target.port}: ${VariscaleError.from(error).message}`;
      const wasSent = (error as NodeJS.ErrnoException).syscall !== "connect";
      return { kind: "unreachable", error: new VariscaleError("unavailable", message, { cause: error }), wasSent };
    }
    return this.#judge(reply, call.rows.length);
  }

  close(): void {
    this.#agent.destroy();
  }

  #judge(reply: Reply, rows: number): InferResult {
    if (reply.status === 503) return { kind: "full" };
    if (reply.status === 504) return { kind: "late" };
    try {
      if (reply.status !== 200) throw new VariscaleError("internal", `a replica answered ${describeReply(reply)}`);
      return { kind: "answered", ...decodeInferResponse(this.#contract, rows, reply.body, reply.headerLength) };
    } catch (error) {
      return { kind: "wrong", error: VariscaleError.from(error) };
    }
  }

  /**
   * A kept connection may be closed by the replica in the very moment it is used: that says nothing about the replica, so the
   * call is sent again over a new one.
   */
  #send(encoded: EncodedRequest, call: InferCall, connection: "anyConnection" | "newConnection"): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        ...this.#target,
        method: "POST",
        path: this.#path,
        agent: connection === "anyConnection" ? this.#agent : false,
        headers: {
          "content-type": "application/octet-stream",
          "inference-header-content-length": encoded.headerBytes,
          "content-length": encoded.totalBytes,
          "x-request-id": call.id,
        },
      });
      const stop = stopWhenUnwanted(request, call);
      const fail = (error: NodeJS.ErrnoException): void => {
        stop();
        const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
        if (isStale && !call.signal.aborted) resolve(this.#send(encoded, call, "newConnection"));
        else reject(error);
      };
      request.once("error", fail);
      request.once("response", response => {
        readReply(response).then(
          reply => {
            stop();
            resolve(reply);
          },
          (error: Error) => {
            request.off("error", fail);
            request.on("error", () => {});
            stop();
            request.destroy();
            reject(error);
          },
        );
      });
      request.cork();
      for (const part of encoded.parts) request.write(part);
      request.end();
      request.uncork();
    });
  }
}

/** Cuts the connection when the call is aborted or the replica stays silent; returns what to call when it is over. */
function stopWhenUnwanted(request: ClientRequest, call: InferCall): () => void {
  const abort = (): void => {
    request.destroy(new Error("the call was cancelled"));
  };
  const silence = setTimeout(
    () => request.destroy(new Error(`no answer within ${Math.round(call.timeoutMs + SILENCE_MS)} ms`)),
    call.timeoutMs + SILENCE_MS,
  );
  if (call.signal.aborted) abort();
  else call.signal.addEventListener("abort", abort, { once: true });
  return () => {
    clearTimeout(silence);
    call.signal.removeEventListener("abort", abort);
  };
}

async function readReply(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) throw new Error(`its answer has more than ${MAX_RESPONSE_BYTES} bytes`);
    chunks.push(chunk);
  }
  const headerLength = response.headers["inference-header-content-length"];
  return {
    status: response.statusCode ?? 0,
    headerLength: Array.isArray(headerLength) ? headerLength[0] : headerLength,
    body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes),
  };
}

function describeReply(reply: Reply): string {
  const text = reply.body.subarray(0, 200).toString("utf8");
  return text === "" ? String(reply.status) : `${reply.status}: ${text}`;
}

/** `host:port`, an IPv6 host in brackets. The address must have been checked. */
function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
