import { type ClientHttp2Session, connect } from "node:http2";
import { framed, PREFIX_BYTES } from "../runtime/unary-message.ts";

const CALL = {
  ":method": "POST",
  ":path": "/inference.GRPCInferenceService/ModelInfer",
  "content-type": "application/grpc",
  te: "trailers",
  // As other clients send, whatever the server makes of it.
  "grpc-accept-encoding": "identity,deflate,gzip",
  "user-agent": "variscale-bench",
};
const UNAVAILABLE = 14;

/** What a call that failed is rejected with, as by grpc-js. */
interface CallError extends Error {
  readonly code: number;
}

/**
 * Calls of one message that was encoded once: HTTP/2 and no more, so that what is measured is the server's. The client of grpc-js takes as
 * much time for a call as its server does.
 */
export class ThinGrpcClient {
  readonly #port: number;
  readonly #frame: Buffer;
  #session: ClientHttp2Session | null = null;

  /** `message`: serialised. */
  constructor(port: number, message: Buffer) {
    this.#port = port;
    this.#frame = framed(message);
  }

  /** The answer's message. Rejects with `code`: 14 for a connection that broke, else the status that the server gave. */
  call(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (code: number, text: string): void => reject(Object.assign(new Error(text), { code }) as CallError);
      const chunks: Buffer[] = [];
      let status = Number.NaN;
      let text = "";
      const stream = this.#connection().request(CALL);
      const read = (headers: NodeJS.Dict<string | string[] | number>): void => {
        if (headers["grpc-status"] === undefined) return;
        status = Number(headers["grpc-status"]);
        text = String(headers["grpc-message"] ?? "");
      };
      // A call without an answer has its status in the first headers.
      stream.on("response", read);
      stream.on("trailers", read);
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", error => fail(UNAVAILABLE, error.message));
      stream.on("end", () => {
        if (status === 0) return resolve(Buffer.concat(chunks).subarray(PREFIX_BYTES));
        fail(Number.isNaN(status) ? UNAVAILABLE : status, text);
      });
      stream.end(this.#frame);
    });
  }

  close(): void {
    this.#session?.close();
  }

  /** A new one after one that broke. */
  #connection(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    this.#session = connect(`http://127.0.0.1:${this.#port}`);
    // Told by its calls.
    this.#session.on("error", () => undefined);
    return this.#session;
  }
}
