import { createSocket, type Socket } from "node:dgram";

const TYPE_A = 1;
const NAME_ERROR = 3;
const SERVER_FAILURE = 2;

/** A name server that knows one name, with the IPv4 addresses that it is told. */
export class NameServer {
  /** Null: it fails. */
  addresses: readonly string[] | null;
  readonly #socket: Socket;

  private constructor(socket: Socket, addresses: readonly string[]) {
    this.#socket = socket;
    this.addresses = addresses;
  }

  static async start(addresses: readonly string[]): Promise<NameServer> {
    const socket = createSocket("udp4");
    await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve));
    const server = new NameServer(socket, addresses);
    socket.on("message", (query, from) => socket.send(server.#answer(query), from.port, from.address));
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): Promise<void> {
    return new Promise(resolve => this.#socket.close(() => resolve()));
  }

  /** The question with answers that point to its name. */
  #answer(query: Buffer): Buffer {
    const questionEnd = query.indexOf(0, 12) + 5;
    const isIpv4 = query.readUInt16BE(questionEnd - 4) === TYPE_A;
    const addresses = isIpv4 ? (this.addresses ?? []) : [];
    const code = this.addresses === null ? SERVER_FAILURE : this.addresses.length === 0 ? NAME_ERROR : 0;
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    const answers = addresses.map(address =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]),
    );
    return Buffer.concat([header, query.subarray(12, questionEnd), ...answers]);
  }
}
