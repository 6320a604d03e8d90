import type { HeldBytes } from "./byte-budget.ts";
import { END_STREAM, FRAME, FrameHeader, PADDED } from "./frame-header.ts";

/** An open call costs this beside its headers and messages: for its stream and handlers. */
const CALL_BYTES = 8 * 1024;
/** A client whose headers of one call have more bytes, in whatever form, is refused: gRPC's limit is half of it. */
const MOST_HEADER_BYTES = 16 * 1024;
/** Metadata that was refused is held for a connection until it ends; with more of it the connection is ended. */
const MOST_REFUSED_METADATA_BYTES = 512 * 1024;
/** A piece of a message, of at most 16 KiB, costs this beside its bytes as measured: for the objects that hold it until the message is whole. */
const PIECE_BYTES = 1024;
/** A chunk of at most so many bytes is passed on as it is, and each message in it counts as if it kept all of the chunk in memory. */
const SMALL_CHUNK_BYTES = 8 * 1024;
/** A further message in the same piece costs this beside its bytes. */
const MESSAGE_BYTES = 512;
/** A frame with more messages is refused: nobody who waits for answers sends so many at once. */
const MOST_MESSAGES_IN_A_PIECE = 64;
/** DEFLATE makes no more than this of a byte. */
const MOST_INFLATION = 1032;
/** "PRI * HTTP/2.0" and what belongs to it. */
const PREFACE_BYTES = 24;
const PREFIX_BYTES = 5;

export interface CallBytesOptions {
  /** The account of the connection. */
  readonly held: HeldBytes;
  readonly maxMessageBytes: number;
  /** Whether calls keep their messages until they are over; if not, a message is let go once it is whole, and none may be compressed. */
  readonly keepsMessages: boolean;
}

/** How far the messages of a call have come: each is a flag, its length in four bytes, and its bytes. */
interface Progress {
  prefixBytes: number;
  isCompressed: boolean;
  length: number;
  left: number;
}

interface OpenCall {
  /** All that it holds: `ownBytes` for itself and its headers, and what has come of its messages. */
  bytes: number;
  ownBytes: number;
  progress: Progress;
  /** When the message began that is not whole yet; null: there is none. */
  begunAtMs: number | null;
  isClientDone: boolean;
  /** When the server had said all it has to say; null: it has not. */
  answeredAtMs: number | null;
}

/**
 * Counts what the calls of one HTTP/2 connection hold in memory, from the bytes that pass in both directions: each call holds what has arrived
 * of it until both sides have ended it. gRPC's library does not tell how much of a message has come.
 */
export class CallBytes {
  readonly #options: CallBytesOptions;
  readonly #calls = new Map<number, OpenCall>();
  readonly #received = new FrameHeader(PREFACE_BYTES);
  readonly #sent = new FrameHeader(0);
  #newestStreamId = 0;
  /** Bytes of the headers that came last, which may have several frames. */
  #headerBytes = 0;
  #refusedMetadataBytes = 0;
  #padding: number | null = null;
  #isRefused = false;

  constructor(options: CallBytesOptions) {
    this.#options = options;
  }

  get heldBytes(): number {
    return this.#options.held.bytes;
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  /**
   * Bytes of messages whose client has not ended its side of the call, be they whole or not: nothing but that client, or the end of the
   * connection, gives them back.
   */
  get unfinishedBytes(): number {
    let bytes = 0;
    for (const call of this.#calls.values()) if (!call.isClientDone) bytes += call.bytes - call.ownBytes;
    return bytes;
  }

  /** Whether the client breaks a limit that no other client comes near. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /**
   * Takes note of the beginning of `chunk`, which comes from the client. Returns how many bytes of it may be passed on together, so that none of a
   * message keeps many others in memory; 0 says that there is no room for them now.
   */
  receive(chunk: Buffer): number {
    const header = this.#received;
    const isSmall = chunk.length <= SMALL_CHUNK_BYTES;
    let position = 0;
    while (position < chunk.length) {
      if (header.type === FRAME.data && header.left > 0) {
        if (!isSmall && position > 0) return position;
        const size = Math.min(header.left, chunk.length - position);
        if (!this.#receiveData(chunk, position, size, isSmall ? chunk.length : PIECE_BYTES)) return position;
        position += size;
        if (!isSmall) return position;
        continue;
      }
      position = header.skip(chunk, position);
      position = header.read(chunk, position);
      if (!header.finish()) continue;
      if (header.type === FRAME.headers) this.#open(header);
      else if (header.type === FRAME.continuation) this.#holdHeaders(header);
      else if (header.type === FRAME.reset) this.#close(header.streamId);
      else if (header.type === FRAME.data) this.#padding = null;
      if (header.left === 0 || header.type === FRAME.headers) this.#noteClientEnd();
    }
    return position;
  }

  /** Takes note of bytes that go to the client. */
  send(chunk: Uint8Array): void {
    const header = this.#sent;
    let position = 0;
    while (position < chunk.length) {
      position = header.skip(chunk, position);
      position = header.read(chunk, position);
      if (!header.finish()) continue;
      if (header.type === FRAME.reset) this.#close(header.streamId);
      else if (endsStream(header)) this.#noteServerEnd(header.streamId);
    }
  }

  /** Whether a message, or the end of a call that was answered, is awaited for longer than these times. */
  isLate(nowMs: number, messageWithinMs: number, endWithinMs: number): boolean {
    for (const { begunAtMs, answeredAtMs } of this.#calls.values()) {
      if (begunAtMs !== null && nowMs - begunAtMs > messageWithinMs) return true;
      if (answeredAtMs !== null && nowMs - answeredAtMs > endWithinMs) return true;
    }
    return false;
  }

  /** Holds metadata that was refused until the connection ends. Returns false where there is no room for it, or it is too much. */
  holdRefusedMetadata(bytes: number): boolean {
    this.#refusedMetadataBytes += bytes;
    return this.#refusedMetadataBytes <= MOST_REFUSED_METADATA_BYTES && this.#options.held.take(bytes);
  }

  release(): void {
    this.#calls.clear();
    this.#options.held.release();
  }

  #open(header: FrameHeader): void {
    const { streamId } = header;
    this.#headerBytes = 0;
    // Headers of an older stream are the trailers of a call that was opened before.
    if (streamId > this.#newestStreamId) {
      this.#newestStreamId = streamId;
      // A call that there is no room for is refused before it begins, and then holds nothing.
      const bytes = this.#options.held.take(CALL_BYTES) ? CALL_BYTES : 0;
      const progress = { prefixBytes: 0, isCompressed: false, length: 0, left: 0 };
      const call = { bytes, ownBytes: bytes, progress, begunAtMs: null, isClientDone: false, answeredAtMs: null };
      this.#calls.set(streamId, call);
    }
    this.#holdHeaders(header);
  }

  #holdHeaders({ streamId, left }: FrameHeader): void {
    this.#headerBytes += left;
    this.#isRefused ||= this.#headerBytes > MOST_HEADER_BYTES;
    const call = this.#calls.get(streamId);
    if (!call || !this.#options.held.take(left)) return;
    call.bytes += left;
    call.ownBytes += left;
  }

  /** Returns false where there is no room for `size` bytes of data from `position` on; nothing was changed then. */
  #receiveData(chunk: Buffer, position: number, size: number, extraBytes: number): boolean {
    const header = this.#received;
    const call = this.#calls.get(header.streamId);
    if (call && call.answeredAtMs === null && !this.#charge(call, chunk, position, size, extraBytes)) return false;
    header.skip(chunk, position);
    if (header.left === 0) this.#noteClientEnd();
    return true;
  }

  #charge(call: OpenCall, chunk: Buffer, position: number, size: number, extraBytes: number): boolean {
    const { held, keepsMessages, maxMessageBytes } = this.#options;
    const { flags, left } = this.#received;
    let from = position;
    let padding = this.#padding ?? 0;
    if ((flags & PADDED) !== 0 && this.#padding === null) padding = chunk[from++] ?? 0;
    const to = Math.max(from, position + size - Math.max(0, padding - (left - size)));
    const progress = { ...call.progress };
    let messages = 0;
    let inflated = 0;
    let endOfMessage = -1;
    let isRefused = false;
    for (let at = from; at < to; ) {
      if (progress.left > 0) {
        const taken = Math.min(progress.left, to - at);
        progress.left -= taken;
        at += taken;
        if (progress.left === 0) endOfMessage = at;
        continue;
      }
      const byte = chunk[at++] ?? 0;
      if (progress.prefixBytes === 0) {
        progress.isCompressed = byte === 1;
        progress.length = 0;
      } else progress.length = progress.length * 256 + byte;
      progress.prefixBytes += 1;
      if (progress.prefixBytes < PREFIX_BYTES) continue;
      progress.prefixBytes = 0;
      progress.left = progress.length;
      messages += 1;
      isRefused ||= progress.isCompressed && !keepsMessages;
      if (progress.isCompressed) inflated += Math.min(maxMessageBytes, progress.length * MOST_INFLATION);
      if (progress.left === 0) endOfMessage = at;
    }
    const bytes = size + extraBytes + Math.max(0, messages - 1) * MESSAGE_BYTES + inflated;
    if (!held.take(bytes)) return false;
    this.#padding = padding;
    this.#isRefused ||= isRefused || messages > MOST_MESSAGES_IN_A_PIECE;
    call.bytes += bytes;
    call.progress = progress;
    const isUnfinished = progress.left > 0 || progress.prefixBytes > 0;
    if (endOfMessage >= 0 || !isUnfinished) call.begunAtMs = null;
    if (isUnfinished) call.begunAtMs ??= performance.now();
    if (endOfMessage >= 0 && !keepsMessages)
      this.#give(call, call.bytes - call.ownBytes - (isUnfinished ? extraBytes + to - endOfMessage : 0));
    return true;
  }

  #noteClientEnd(): void {
    if (!endsStream(this.#received)) return;
    const { streamId } = this.#received;
    const call = this.#calls.get(streamId);
    if (!call) return;
    call.isClientDone = true;
    call.begunAtMs = null;
    if (call.answeredAtMs !== null) this.#close(streamId);
  }

  #noteServerEnd(streamId: number): void {
    const call = this.#calls.get(streamId);
    if (!call) return;
    call.answeredAtMs ??= performance.now();
    call.begunAtMs = null;
    if (call.isClientDone) this.#close(streamId);
  }

  #close(streamId: number): void {
    const call = this.#calls.get(streamId);
    if (!call) return;
    this.#calls.delete(streamId);
    this.#options.held.give(call.bytes);
  }

  #give(call: OpenCall, bytes: number): void {
    const given = Math.max(0, Math.min(bytes, call.bytes));
    call.bytes -= given;
    this.#options.held.give(given);
  }
}

function endsStream({ type, flags }: FrameHeader): boolean {
  return (type === FRAME.data || type === FRAME.headers) && (flags & END_STREAM) !== 0;
}
