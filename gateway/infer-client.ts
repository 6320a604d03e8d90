import { VariscaleError } from "../domain/errors.ts";
import type { Stage } from "../domain/pipeline.ts";
import { type HttpAnswer, HttpClient } from "../runtime/http-client.ts";
import { HttpFailure } from "../runtime/http-failure.ts";
import { type DecodedResponse, decodeInferResponse, encodeInferRequest } from "./infer-codec.ts";
import type { Row } from "./stage.ts";

export interface InferCall {
  readonly id: string;
  readonly rows: readonly Row[];
  /** What the replica may take; it drops the rows itself when they can't be done in time. */
  readonly timeoutMs: number;
  /** How much of that is left of the SLO: replicas aim at it. */
  readonly sloTimeoutMs: number;
  /** The variant that must serve the rows; missing: the replica chooses. */
  readonly variant?: string | undefined;
  /** Aborted: nobody wants the answer, so the connection is cut and the replica can stop. */
  readonly signal: AbortSignal;
  /** The rows were sent to a replica before. They get a connection of their own, which no replica that ends closes under them. */
  readonly isRetry?: boolean;
  /** The headers of the request that are passed on, and those that make the call a part of its trace. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What became of a call. Never thrown: every one of them is to be expected. */
export type InferResult =
  | ({ readonly kind: "answered" } & DecodedResponse)
  /** 503: it can't serve the rows in time, has no room for them, or is going away. */
  | { readonly kind: "full" }
  /** 409: it does not have the variant in memory that was asked for, or that is below the floor. */
  | { readonly kind: "unserved"; readonly message: string }
  /** 504: not done within `timeoutMs`. */
  | { readonly kind: "late" }
  /** Refused, reset or no answer; `wasSent` false: the replica surely never saw the call, so it can't have died of it. */
  | { readonly kind: "unreachable"; readonly error: VariscaleError; readonly wasSent: boolean }
  /** The call has more rows or bytes than any replica takes. */
  | { readonly kind: "tooLarge"; readonly message: string }
  /** Any other status, or an answer that breaks the contract. */
  | { readonly kind: "wrong"; readonly error: VariscaleError };

/** An answer larger than this is not read. */
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;
/** A replica that is silent for this long after the deadline counts as gone. */
const SILENCE_MS = 2000;
/** Unused connections close before the replica closes them (65 s), so that few calls meet a closing one. */
const IDLE_MS = 30_000;

/** Speaks the Open Inference Protocol with one replica, over its own keep-alive connections. */
export class InferClient {
  readonly #client = new HttpClient({ idleMs: IDLE_MS });
  readonly #address: string;
  readonly #model: string;
  readonly #stage: Stage;

  /**
   * @param address `host:port` or `host:port/MODEL`, an IPv6 host in brackets; checked before.
   * @param stage names the model where the address does not.
   */
  constructor(address: string, stage: Stage) {
    this.#address = address;
    const [, server = address, model = stage.name] = /^([^/]+)\/(.+)$/.exec(address) ?? [];
    this.#model = `http://${server}/v2/models/${encodeURIComponent(model)}`;
    this.#stage = stage;
  }

  async infer(call: InferCall): Promise<InferResult> {
    const { id, rows, timeoutMs, variant, signal, isRetry = false } = call;
    const { headerBytes, parts } = encodeInferRequest(this.#stage.contract, rows, call);
    const version = variant === undefined ? "" : `/versions/${encodeURIComponent(variant)}`;
    let answer: HttpAnswer;
    try {
      answer = await this.#client.request({
        method: "POST",
        url: new URL(`${this.#model}${version}/infer`),
        headers: {
          "content-type": "application/octet-stream",
          "inference-header-content-length": String(headerBytes),
          "x-request-id": id,
          ...call.headers,
        },
        body: parts,
        timeoutMs: Math.round(timeoutMs + SILENCE_MS),
        maxBytes: MAX_RESPONSE_BYTES,
        isFresh: isRetry,
        signal,
      });
    } catch (thrown) {
      const failure = thrown instanceof HttpFailure ? thrown : null;
      const message = `replica at ${this.#address}: ${failure?.detail ?? VariscaleError.from(thrown).message}`;
      const error = new VariscaleError("unavailable", message, { cause: thrown });
      return { kind: "unreachable", error, wasSent: failure?.kind !== "notConnected" };
    }
    return this.#judge(answer, rows.length);
  }

  close(): void {
    this.#client.close();
  }

  #judge({ status, headers, body }: HttpAnswer, rows: number): InferResult {
    if (status === 503) return { kind: "full" };
    if (status === 409) return { kind: "unserved", message: readStart(body) };
    if (status === 504) return { kind: "late" };
    if (status === 413) return { kind: "tooLarge", message: readStart(body) };
    try {
      if (status !== 200) {
        const said = readStart(body);
        throw new VariscaleError("internal", `a replica answered ${status}${said === "" ? "" : `: ${said}`}`);
      }
      const headerLength = headers["inference-header-content-length"];
      const ofHeader = Array.isArray(headerLength) ? headerLength[0] : headerLength;
      return { kind: "answered", ...decodeInferResponse(this.#stage, rows, body, ofHeader) };
    } catch (error) {
      return { kind: "wrong", error: VariscaleError.from(error) };
    }
  }
}

/** Text of an error, which may be long. */
function readStart(body: Buffer): string {
  return body.subarray(0, 200).toString("utf8");
}
