import type { IncomingMessage, ServerResponse } from "node:http";
import { VariscaleError } from "../domain/errors.ts";
import { sendBody } from "../runtime/answering-server.ts";
import type { ByteBudget, HeldBytes } from "../runtime/byte-budget.ts";
import type { BodyReader } from "../runtime/http/body-reader.ts";
import { type BodyParts, bodyParts, countBytes, type DataResponse, errorResponse } from "./data-response.ts";

/** One request of the inference port, from its head to the last byte of its answer, and what it holds of the budget. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path of the URL, without the query. */
  readonly path: string;
  readonly held: HeldBytes;
  readonly #budget: ByteBudget;
  readonly #onEnd: (exchange: Exchange) => void;
  #state: "reading" | "working" | "answering" | "ended" = "reading";
  #isCut = false;
  #body: BodyReader | null = null;
  #gone: (() => void) | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    budget: ByteBudget,
    onEnd: (exchange: Exchange) => void,
  ) {
    this.request = request;
    this.response = response;
    const { url = "/" } = request;
    const query = url.indexOf("?");
    this.path = query < 0 ? url : url.slice(0, query);
    this.held = budget.hold();
    this.#budget = budget;
    this.#onEnd = onEnd;
  }

  /** `body` reads the body, and owns its memory until the answer is sent. */
  startReading(body: BodyReader): void {
    this.#body = body;
  }

  /** A handler works with the body from now on, until its answer is sent. */
  startWorking(): void {
    this.#state = "working";
  }

  /** Takes `bytes` more of the budget, or gives back where it is less than 0. An error: there is no room for them. */
  charge(bytes: number): VariscaleError | null {
    if (bytes <= 0) this.held.give(-bytes);
    else if (!this.held.take(bytes)) return noRoom(this.#budget);
    return null;
  }

  /** Calls back if the client goes away before it is answered. */
  onGone(callback: () => void): void {
    if (this.#isCut) callback();
    else this.#gone = callback;
  }

  /** The connection is closed. A handler that works on the request still uses its memory. */
  cut(): void {
    this.#isCut = true;
    this.#gone?.();
    this.#gone = null;
    if (this.#state !== "working") this.#end();
  }

  /**
   * Sends the answer. From now on it is the answer that holds bytes of the budget, until all of it has left; where others leave no room for
   * it, the client is told so instead.
   *
   * @param isAlone no other request is there: its answer has room however long it is.
   * @param isLast ends the connection with this answer.
   */
  send(answer: DataResponse, isAlone: boolean, isLast: boolean): void {
    this.#gone = null;
    if (this.#isCut) {
      this.#end();
      return;
    }
    this.#state = "answering";
    this.held.give(this.held.bytes);
    const parts = bodyParts(answer);
    const bytes = countBytes(parts);
    if (this.held.take(bytes) || isAlone) this.#write(answer, parts, bytes, isLast);
    else {
      const refusal = errorResponse(noRoom(this.#budget));
      const told = bodyParts(refusal);
      this.#write(refusal, told, countBytes(told), isLast);
    }
    this.#body?.stop();
  }

  #write({ status, headers, json }: DataResponse, parts: BodyParts, bytes: number, isLast: boolean): void {
    const { response } = this;
    if (json !== undefined) response.setHeader("content-type", "application/json");
    if (isLast) response.setHeader("connection", "close");
    response.writeHead(status, { "content-length": bytes, ...headers });
    sendBody(response, parts, bytes);
    if (response.writableFinished) this.#end();
    else response.once("finish", () => this.#end());
  }

  #end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#body?.stop();
    this.held.release();
    this.#onEnd(this);
  }
}

/** The refusal of a request that there is no room for. */
export function noRoom({ usedBytes }: ByteBudget): VariscaleError {
  return new VariscaleError("resource_exhausted", `${usedBytes} bytes of requests are being worked on`);
}
