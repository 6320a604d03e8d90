import type { SessionReply, SessionRequest, TransferredTensor } from "./session-messages.ts";

/**
 * A batch on its way between two threads that is like the one before: of each tensor its first dimension, its bytes and its data. Names,
 * datatypes and the other dimensions would cost more on the way than all else.
 */
export type Alike = readonly (number | ArrayBuffer)[];

const ITEMS = 3;

/** What a tensor has in common with those before; not its data, which must not stay in memory. */
type Form = Pick<TransferredTensor, "name" | "datatype" | "shape">;

interface Asked {
  readonly inputs: readonly Form[];
  readonly outputs: readonly string[];
}

/** The main thread's end, for questions. `post` must throw where it did not send. */
export class RequestWriter {
  #before: Asked | null = null;

  send(request: SessionRequest, post: (message: SessionRequest | Alike) => void): void {
    const before = this.#before;
    if (request.kind !== "run") post(request);
    else if (before && areAlike(before.inputs, request.inputs) && areEqual(before.outputs, request.outputs))
      post(itemsOf(request.inputs));
    else {
      post(request);
      this.#before = { inputs: formsOf(request.inputs), outputs: request.outputs };
    }
  }
}

/** The session's end, for questions. */
export class RequestReader {
  #before: Asked | null = null;

  read(message: SessionRequest | Alike): SessionRequest {
    if ("kind" in message) {
      if (message.kind === "run") this.#before = { inputs: formsOf(message.inputs), outputs: message.outputs };
      return message;
    }
    const { inputs = [], outputs = [] } = this.#before ?? {};
    return { kind: "run", inputs: tensorsOf(inputs, message, 0), outputs };
  }
}

/** The session's end, for answers. `post` must throw where it did not send. */
export class ReplyWriter {
  #before: readonly Form[] | null = null;

  send(reply: SessionReply, post: (message: SessionReply | Alike) => void): void {
    if (reply.kind !== "ran") post(reply);
    else if (this.#before && areAlike(this.#before, reply.outputs))
      post([reply.serviceMs, ...itemsOf(reply.outputs), ...reply.spare]);
    else {
      post(reply);
      this.#before = formsOf(reply.outputs);
    }
  }
}

/** The main thread's end, for answers. */
export class ReplyReader {
  #before: readonly Form[] = [];

  read(message: SessionReply | Alike): SessionReply {
    if ("kind" in message) {
      if (message.kind === "ran") this.#before = formsOf(message.outputs);
      return message;
    }
    const spare = message.slice(1 + ITEMS * this.#before.length) as ArrayBuffer[];
    return { kind: "ran", outputs: tensorsOf(this.#before, message, 1), spare, serviceMs: message[0] as number };
  }
}

function formsOf(tensors: readonly TransferredTensor[]): Form[] {
  return tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape }));
}

function areAlike(before: readonly Form[], tensors: readonly TransferredTensor[]): boolean {
  if (before.length !== tensors.length) return false;
  return tensors.every((tensor, i) => {
    const other = before[i];
    if (!other || tensor.name !== other.name || tensor.datatype !== other.datatype) return false;
    const { shape } = tensor;
    if (shape.length === 0 || shape.length !== other.shape.length) return false;
    return shape.every((dimension, axis) => axis === 0 || dimension === other.shape[axis]);
  });
}

function areEqual(before: readonly string[], names: readonly string[]): boolean {
  return before === names || (before.length === names.length && names.every((name, i) => name === before[i]));
}

function itemsOf(tensors: readonly TransferredTensor[]): (number | ArrayBuffer)[] {
  const items: (number | ArrayBuffer)[] = [];
  for (const { shape, bytes, data } of tensors) items.push(shape[0] ?? 0, bytes, data);
  return items;
}

function tensorsOf(before: readonly Form[], items: Alike, from: number): TransferredTensor[] {
  return before.map(({ name, datatype, shape }, i) => {
    const at = from + ITEMS * i;
    const [, ...inner] = shape;
    const first = items[at] as number;
    return {
      name,
      datatype,
      shape: [first, ...inner],
      bytes: items[at + 1] as number,
      data: items[at + 2] as ArrayBuffer,
    };
  });
}
