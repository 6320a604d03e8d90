import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { readPostHead } from "../../variant-switcher/post-head.ts";

const PLAIN =
  "POST /v2/models/a/infer?x=1 HTTP/1.1\r\nHost: here:80\r\nContent-Length: 12\r\nX-Note: \ta b \t c  \r\n\r\n";

function mostly<T>(often: fc.Arbitrary<T>, seldom: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: often }, { weight: 1, arbitrary: seldom });
}

describe("readPostHead", () => {
  it("reads a plain head, and leaves what follows alone", () => {
    const head = readPostHead(Buffer.from(`${PLAIN}\r\n\r\nbody`));
    assert.equal(head?.bytes.toString(), PLAIN);
    assert.equal(head?.url, "/v2/models/a/infer?x=1");
    assert.equal(head?.contentLength, 12);
    assert.deepEqual({ ...head?.headers }, { host: "here:80", "content-length": "12", "x-note": "a b \t c" });
  });

  for (const [what, from, to] of [
    ["another method", "POST", "PUT"],
    ["an absolute URL", "/v2", "http://here/v2"],
    ["another version", "1.1", "1.0"],
    ["an end that has not come", "\r\n\r\n", "\r\n"],
    ["bare line feeds", "\r\nX-", "\nX-"],
    ["a bare carriage return", "a b", "a\rb"],
    ["a folded field", "a b", "a\r\n b"],
    ["a blank before the colon", "X-Note:", "X-Note :"],
    ["no colon", "X-Note:", "X-Note"],
    ["a field without a value", "X-Note: \ta b \t c  ", "X-Note: "],
    ["no host", "Host", "Hast"],
    ["a second host", "X-Note", "host"],
    ["no length", "Content-Length", "Content-Lengths"],
    ["a second length", "X-Note: \ta b \t c  ", "content-length: 12"],
    ["two lengths in one", "12", "12, 12"],
    ["a length with a sign", "12", "+12"],
    ["a length with a zero before it", "12", "012"],
    ["a length that is hexadecimal", "12", "0x12"],
    ["a length of 0", "12", "0"],
    ["a length that is too long to be exact", "12", "9999999999999999"],
    ["a transfer encoding", "X-Note: \ta b \t c  ", "Transfer-Encoding: chunked"],
    ["a client that waits to be told to go on", "X-Note: \ta b \t c  ", "Expect: 100-continue"],
    ["an upgrade", "X-Note: \ta b \t c  ", "Upgrade: h2c"],
    ["a connection that is to end", "X-Note: \ta b \t c  ", "Connection: close"],
    ["a connection that is to end by its older name", "X-Note: \ta b \t c  ", "Proxy-Connection: close"],
    ["a length with a tab behind it", "12", "12\t"],
    ["control characters", "a b", "a\u0000b"],
    ["bytes beyond ASCII", "a b", "a\u00ffb"],
    ["a head that is very long", "a b", "a".repeat(9000)],
  ] as const)
    it(`leaves ${what} to Node`, () => {
      const changed = PLAIN.replace(from, to);
      assert.notEqual(changed, PLAIN);
      assert.equal(readPostHead(Buffer.from(changed, "latin1")), null);
    });
});

describe("readPostHead and Node's parser", () => {
  let server: Server;
  before(async () => {
    server = createServer((request, response) => {
      const { method, url, headers } = request;
      request.resume().on("end", () => response.end(JSON.stringify({ method, url, headers })));
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  /** What Node makes of the head with its body; null: no request. */
  const asNode = async (head: Buffer, bytes: number) => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    // One that asks for nothing more ends the connection.
    socket.write(
      Buffer.concat([
        head,
        Buffer.alloc(bytes, "x"),
        Buffer.from("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
      ]),
    );
    const answers = await text(socket);
    const first = /\{.*\}/.exec(answers)?.[0];
    const count = answers.split("HTTP/1.1 200").length - 1;
    return first === undefined
      ? null
      : { count, ...(JSON.parse(first) as { method: string; url: string; headers: IncomingHttpHeaders }) };
  };

  const blank = mostly(fc.constantFrom("", " ", "\t", "  "), fc.constantFrom("\n ", "\u000b", "\r\n "));
  const name = fc.constantFrom(
    "X-A",
    "x-a",
    "Accept",
    "Content-Type",
    "Content-Length",
    "Host",
    "Connection",
    "Cookie",
    "Keep-Alive",
    "__proto__",
    "Transfer-Encoding",
    "X A",
    "X\u00e9",
    "Set-Cookie",
    "Proxy-Connection",
  );
  const value = mostly(
    fc.constantFrom("keep-alive", "Keep-Alive", "3", "a,b", 'a"b', "a b"),
    fc.oneof(
      fc.constantFrom("close", "03", "3 ", "-3", "chunked", ""),
      fc.string({ unit: "binary-ascii", maxLength: 6 }),
    ),
  );
  const end = mostly(fc.constant("\r\n"), fc.constantFrom("\n", "\r", "\r\r\n"));
  const field = fc
    .tuple(name, blank, value, blank, end)
    .map(([n, before, v, behind, e]) => `${n}:${before}${v}${behind}${e}`);
  const line = mostly(
    fc.constantFrom("POST / HTTP/1.1\r\n", "POST /a?b=%20#c HTTP/1.1\r\n", 'POST /"<> HTTP/1.1\r\n'),
    fc.constantFrom("POST  / HTTP/1.1\r\n", "POST /\u00e9 HTTP/1.1\r\n", "post / HTTP/1.1\r\n"),
  );
  const needed = fc.tuple(blank, blank, fc.boolean()).map(([before, behind, isHostFirst]) => {
    const fields = ["Host: x\r\n", `Content-Length:${before}3${behind}\r\n`];
    return isHostFirst ? fields : fields.toReversed();
  });
  const head = fc
    .tuple(line, needed, fc.array(field, { maxLength: 3 }), fc.boolean())
    .map(([first, some, others, isLast]) => {
      const fields = isLast ? [...others, ...some] : [...some, ...others];
      return `${first}${fields.join("")}\r\n`;
    });

  it("agree on every head that is read here", async () => {
    let readHere = 0;
    await fc.assert(
      fc.asyncProperty(head, async given => {
        const read = readPostHead(Buffer.from(given, "latin1"));
        if (!read) return;
        readHere++;
        const node = await asNode(read.bytes, read.contentLength);
        assert.deepEqual(
          node,
          { count: 2, method: "POST", url: read.url, headers: { ...read.headers } },
          `${JSON.stringify(given)} is something else to Node`,
        );
      }),
      { numRuns: 3000 },
    );
    assert.ok(readHere > 400, `only ${readHere} heads were read`);
  }).timeout(60_000);
});
