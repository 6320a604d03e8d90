import type { VariscaleError } from "../domain/errors.ts";
import type { StageContract } from "../domain/tensor.ts";
import { parsedBytes } from "./exact-json.ts";
import { checkElements, type InferRequest } from "./infer-request.ts";
import { parseRestRequest } from "./rest-request.ts";

/** A longer head is not kept: it is likely to be different each time. */
const MAX_KEPT_BYTES = 4096;

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
  #kept: Kept | null = null;

  constructor(contract: StageContract) {
    this.#contract = contract;
  }

  /**
   * `charge` finds room for what the JSON part becomes, before it is parsed, or says why there is none, which is thrown;
   * later it gets back what does not stay.
   */
  read(body: Buffer, headerBytes: number | null, charge: (bytes: number) => VariscaleError | null): InferRequest {
    const kept = this.#kept;
    if (kept && headerBytes === kept.head.length && body.length === kept.bodyBytes) {
      const head = body.subarray(0, headerBytes);
      if (head.equals(kept.head)) return this.#again(kept, body);
    }
    const parsing = parsedBytes(headerBytes === null ? body : body.subarray(0, Math.max(0, headerBytes)));
    refuse(charge(parsing));
    const request = parseRestRequest(body, headerBytes, this.#contract);
    // Nothing else is parsed meanwhile, and of what was parsed only the tensors stay.
    const stays = request.inputs.reduce((sum, { bytes }) => sum + (bytes.buffer === body.buffer ? 0 : bytes.length), 0);
    refuse(charge(stays - parsing));
    if (headerBytes !== null && headerBytes <= MAX_KEPT_BYTES) this.#keep(body, headerBytes, request);
    return request;
  }

  #again({ request, places }: Kept, body: Buffer): InferRequest {
    const inputs = request.inputs.map(({ datatype, shape }, i) => {
      const { from, to } = places[i] ?? { from: 0, to: 0 };
      const bytes = body.subarray(from, to);
      checkElements(this.#contract.inputs[i]?.name ?? "", datatype, shape, bytes);
      return { datatype, shape, bytes };
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

function refuse(refusal: VariscaleError | null): void {
  if (refusal) throw refusal;
}
