/** Raw connections and bodies of the attackers: what an ordinary client would not send. */
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";

const HOST = "127.0.0.1";
const CHUNK_BYTES = 64 * 1024;

/** Opens a connection whose errors are part of the attack. */
export function openSocket(port: number): Socket {
  const socket = connect(port, HOST);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  return socket;
}

export function writeHead(method: string, path: string, headers: Readonly<Record<string, string | number>>): string {
  const fields = Object.entries({ host: HOST, "content-type": "application/json", ...headers });
  return `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** Sends a whole request and waits for its status, or for the connection's end: null. */
export function sendRequest(port: number, head: string, body: Uint8Array): Promise<number | null> {
  return new Promise(resolve => {
    const socket = openSocket(port);
    socket.once("data", data => {
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(String(data))?.[1] ?? 0));
      socket.destroy();
    });
    socket.once("close", () => resolve(null));
    socket.write(head);
    writePaced(socket, body, () => undefined);
  });
}

/** Writes as fast as the peer takes it. */
export function writePaced(socket: Socket, bytes: Uint8Array, onEnd: () => void): void {
  let offset = 0;
  const goOn = (): void => {
    while (offset < bytes.length && !socket.destroyed) {
      const chunk = bytes.subarray(offset, offset + CHUNK_BYTES);
      offset += chunk.length;
      if (!socket.write(chunk)) {
        socket.once("drain", goOn);
        return;
      }
    }
    onEnd();
  };
  goOn();
}

/** A connection of gRPC that opens calls by hand. */
export class GrpcConnection {
  readonly #session;

  constructor(port: number) {
    this.#session = connectHttp2(`http://${HOST}:${port}`);
    this.#session.on("error", () => undefined);
  }

  /** Sends `bytes` as the beginning of a message of `announcedBytes`, and leaves the call open unless `isWhole`. Resolves when the call ends. */
  call(path: string, bytes: Uint8Array, announcedBytes = bytes.length): Promise<void> {
    if (this.#session.closed || this.#session.destroyed) return Promise.resolve();
    return new Promise(resolve => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        te: "trailers",
        "content-type": "application/grpc",
      });
      stream.on("error", () => undefined);
      stream.on("close", resolve);
      stream.resume();
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(announcedBytes, 1);
      if (announcedBytes > 0) stream.write(prefix);
      if (bytes.length > 0) stream.write(bytes);
      if (announcedBytes > 0 && bytes.length === announcedBytes) stream.end();
    });
  }

  close(): void {
    this.#session.destroy(undefined, constants.NGHTTP2_NO_ERROR);
  }
}

/** A field of protobuf whose value is bytes. */
export function encodeField(field: number, value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([encodeVarint((field << 3) | 2), encodeVarint(bytes.length), bytes]);
}

function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
