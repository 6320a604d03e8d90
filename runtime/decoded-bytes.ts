import protobuf from "protobufjs";

/** Bytes of heap that decoding takes for each of these, as measured with grpc-js' own loader. */
const FIELD_BYTES = 16;
const MESSAGE_BYTES = 512;
const BYTES_BYTES = 128;
const STRING_BYTES = 32;
const NUMBER_BYTES = 16;
const LONG_BYTES = 96;
const LONGS: ReadonlySet<string> = new Set(["int64", "uint64", "sint64", "fixed64", "sfixed64"]);

const LENGTH_DELIMITED = 2;

/** A message that becomes smaller than this may grow by any factor, one that becomes larger by `MOST_GROWTH` at most. */
const MOST_FREE_BYTES = 1024 * 1024;
const MOST_GROWTH = 128;

export interface DecodeLimits {
  /** Most messages, strings, byte strings and 64-bit integers in one message: each is an object of its own. */
  readonly objects: number;
  /** Most entries of fields at the top, by their names. */
  readonly entries?: Readonly<Record<string, number>>;
}

/** Why a message is not decoded. */
export class TooManyObjects extends Error {}

/**
 * Estimates how much memory a message takes once it is decoded, from a walk over its fields that makes no objects. Throws TooManyObjects
 * above the limits, and RangeError for bytes that are no message.
 */
export function estimateDecodedBytes(type: protobuf.Type, bytes: Uint8Array, limits: DecodeLimits): number {
  const walk = new Walk(bytes, limits);
  walk.readMessage(type, bytes.length, limits.entries ?? {});
  if (walk.bytes > MOST_FREE_BYTES && walk.bytes > MOST_GROWTH * bytes.length)
    throw new TooManyObjects(`a message of ${bytes.length} bytes would take ${walk.bytes} bytes of memory`);
  return walk.bytes;
}

class Walk {
  bytes = 0;
  #objects = 0;
  readonly #reader: protobuf.Reader;
  readonly #limits: DecodeLimits;

  constructor(bytes: Uint8Array, limits: DecodeLimits) {
    this.#reader = protobuf.Reader.create(bytes);
    this.#limits = limits;
  }

  readMessage(type: protobuf.Type, end: number, entries: Readonly<Record<string, number>>): void {
    const reader = this.#reader;
    let counts: Map<string, number> | null = null;
    this.#addObjects(1, MESSAGE_BYTES);
    while (reader.pos < end) {
      const tag = reader.uint32();
      const wireType = tag & 7;
      const field = type.fieldsById[tag >>> 3];
      if (!field) {
        reader.skipType(wireType);
        continue;
      }
      this.bytes += FIELD_BYTES;
      const most = entries[field.name];
      if (most !== undefined) {
        counts ??= new Map();
        const count = (counts.get(field.name) ?? 0) + 1;
        if (count > most) throw new TooManyObjects(`the message has more than ${most} entries in \`${field.name}\``);
        counts.set(field.name, count);
      }
      if (wireType === LENGTH_DELIMITED) this.#readDelimited(field, end);
      else {
        this.#addNumbers(field.type, 1);
        reader.skipType(wireType);
      }
    }
    if (reader.pos > end) throw new RangeError("a field ends behind its message");
  }

  #readDelimited(field: protobuf.Field, end: number): void {
    const reader = this.#reader;
    const length = reader.uint32();
    const fieldEnd = reader.pos + length;
    if (fieldEnd > end) throw new RangeError("a field ends behind its message");
    const { resolvedType } = field;
    if (!(field instanceof protobuf.MapField) && resolvedType instanceof protobuf.Type) {
      this.readMessage(resolvedType, fieldEnd, {});
      return;
    }
    if (field instanceof protobuf.MapField) this.#addObjects(1, 2 * MESSAGE_BYTES + 2 * length);
    else if (field.type === "string") this.#addObjects(1, STRING_BYTES + 2 * length);
    else if (field.type === "bytes") this.#addObjects(1, BYTES_BYTES);
    else this.#addNumbers(field.type, this.#countPacked(field.type, fieldEnd));
    reader.skip(length);
  }

  /** Counts the numbers of a packed field, which reaches from here to `end`. */
  #countPacked(type: string, end: number): number {
    const { buf, pos } = this.#reader;
    if (type === "float" || type === "fixed32" || type === "sfixed32") return (end - pos) / 4;
    if (type === "double" || type === "fixed64" || type === "sfixed64") return (end - pos) / 8;
    let numbers = 0;
    for (let at = pos; at < end; at++) if ((buf[at] ?? 0) < 0x80) numbers += 1;
    return numbers;
  }

  #addNumbers(type: string, count: number): void {
    if (LONGS.has(type)) this.#addObjects(count, LONG_BYTES * count);
    else this.bytes += NUMBER_BYTES * count;
  }

  #addObjects(count: number, bytes: number): void {
    this.#objects += count;
    this.bytes += bytes;
    if (this.#objects > this.#limits.objects)
      throw new TooManyObjects(
        `the message has more than ${this.#limits.objects} texts, byte strings, messages and 64-bit integers`,
      );
  }
}
