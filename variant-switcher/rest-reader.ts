import { setImmediate } from "node:timers/promises";
import type { VariscaleError } from "../domain/errors.ts";
import type { StageContract } from "../domain/tensor.ts";
import { elementCount } from "../runtime/tensor-data.ts";
import { checkElements, type InferRequest } from "./infer-request.ts";
import { parsedBytes } from "./json-size.ts";
import { RequestTooLarge } from "./request-too-large.ts";
import { parseRestRequest } from "./rest-request.ts";

/** A longer head is not kept: it is likely to be different each time. */
const MAX_KEPT_BYTES = 4096;
/** JSON of this size takes a millisecond to parse, or a few. */
const LONG_JSON_BYTES = 64 * 1024;
/** A view of an element's bytes, and the text that is made of it. */
const TEXT_BYTES = 128;

interface Kept {
  /** A JSON part after which all inputs follow as binary data, … */
  readonly head: Buffer;
  readonly bodyBytes: number;
  /** … what was read of it, … */
  readonly request: InferRequest;
  /** … and where in the body each input is. */
  readonly places: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Reads requests like parseRestRequest(). Most clients send the same JSON part again and again and only the binary data after it differs,
 * so the last one is kept and, where it comes again, not parsed again.
 */
export class RestReader {
  readonly #contract: StageContract;
  readonly #maxParsedBytes: () => number;
  #kept: Kept | null = null;
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(contract: StageContract, maxParsedBytes: () => number) {
    this.#contract = contract;
    this.#maxParsedBytes = maxParsedBytes;
  }

  /**
   * Resolves when JSON of so many bytes may be read; null: at once. Long ones are read one in each turn of the event loop: together they keep
   * others waiting no longer than one of them does.
   */
  findTurn(jsonBytes: number): Promise<void> | null {
    if (jsonBytes < LONG_JSON_BYTES) return null;
    this.#lastTurn = this.#lastTurn.then(() => setImmediate());
    return this.#lastTurn;
  }

  /**
   * `charge` finds room for what the JSON part becomes, before it is parsed, or says why there is none, which is thrown;
   * later it gets back what does not stay.
   */
  read(body: Buffer, headerBytes: number | null, charge: (bytes: number) => VariscaleError | null): InferRequest {
    const kept = this.#kept;
    if (kept && headerBytes === kept.head.length && body.length === kept.bodyBytes) {
      const head = body.subarray(0, headerBytes);
      if (head.equals(kept.head)) {
        const again = this.#again(kept, body);
        this.#charge(body, countTextBytes(again), charge);
        return again;
      }
    }
    const parsing = parsedBytes(headerBytes === null ? body : body.subarray(0, Math.max(0, headerBytes)));
    this.#charge(body, parsing, charge);
    const request = parseRestRequest(body, headerBytes, this.#contract);
    // Nothing else is parsed meanwhile, and of what was parsed only the tensors stay.
    const stays = request.inputs.reduce((sum, { bytes }) => sum + (bytes.buffer === body.buffer ? 0 : bytes.length), 0);
    refuse(charge(stays - parsing));
    this.#charge(body, countTextBytes(request), charge);
    if (headerBytes !== null && headerBytes <= MAX_KEPT_BYTES) this.#keep(body, headerBytes, request);
    return request;
  }

  /** Also a request that is alone has no more room than this: what it becomes may be many times its size. */
  #charge(body: Buffer, bytes: number, charge: (bytes: number) => VariscaleError | null): void {
    const mostBytes = this.#maxParsedBytes() - body.length;
    if (bytes > mostBytes)
      throw new RequestTooLarge(
        `the request would take ${bytes} bytes once it is parsed, there is room for ${Math.floor(mostBytes)}. Send fewer rows, and numbers as binary data.`,
      );
    refuse(charge(bytes));
  }

  #again({ request, places }: Kept, body: Buffer): InferRequest {
    const inputs = request.inputs.map(({ datatype, shape }, i) => {
      const { from, to } = places[i] ?? { from: 0, to: 0 };
      const tensor = { datatype, shape, bytes: body.subarray(from, to) };
      checkElements(this.#contract.inputs[i]?.name ?? "", tensor);
      return tensor;
    });
    return { ...request, inputs };
  }

  #keep(body: Buffer, headerBytes: number, request: InferRequest): void {
    const { inputs } = request;
    if (inputs.some(({ bytes }) => bytes.buffer !== body.buffer)) return;
    const places = inputs.map(({ bytes }) => {
      const from = bytes.byteOffset - body.byteOffset;
      return { from, to: from + bytes.length };
    });
    // The body's memory is used again.
    const head = Buffer.from(body.subarray(0, headerBytes));
    const empty = inputs.map(input => ({ ...input, bytes: new Uint8Array() }));
    this.#kept = { head, bodyBytes: body.length, request: { ...request, inputs: empty }, places };
  }
}

/** The memory that elements of BYTES tensors take as texts in a session, beyond their own bytes. */
function countTextBytes({ inputs }: InferRequest): number {
  let bytes = 0;
  for (const { datatype, shape } of inputs) if (datatype === "BYTES") bytes += elementCount(shape) * TEXT_BYTES;
  return bytes;
}

function refuse(refusal: VariscaleError | null): void {
  if (refusal) throw refusal;
}
