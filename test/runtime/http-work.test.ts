import assert from "node:assert/strict";
import { connect } from "node:net";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { type HttpServer, startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";
import { until } from "../support/until.ts";

const MOST_BODY_BYTES = 50_000;

describe("the work that a request makes, against its size", () => {
  let server: HttpServer;
  let budget: ByteBudget;
  let calls: number;

  before(async () => {
    budget = new ByteBudget(1_000_000);
    const handle = ({ body, params, query }: { body: Buffer; params: object; query: URLSearchParams }) => {
      calls++;
      return { status: 200, body: { bytes: body.length, params, query: [...query].length } };
    };
    server = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent"), budget },
      maxBodyBytes: MOST_BODY_BYTES,
      routes: [
        { method: "POST", path: "/things/:name", handle },
        { method: "GET", path: "/things/:name/parts/:part", handle },
      ],
    });
  });
  after(() => server.close(0));

  /** Sends the parts one after the other and gives all that comes back once the server has ended the connection. */
  function send(parts: readonly (string | Buffer)[]): Promise<string> {
    return new Promise(resolve => {
      const socket = connect(server.port, "127.0.0.1").setEncoding("latin1");
      let text = "";
      socket.on("data", (data: string) => {
        text += data;
      });
      socket.on("error", () => {});
      socket.once("close", () => resolve(text));
      for (const part of parts) socket.write(part);
      socket.end();
    });
  }

  it("gives the memory of requests back that wait behind another one on a connection that goes away", async () => {
    const bodies = new ByteBudget(1_000_000);
    let waiting = 0;
    const slow = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent"), budget: bodies },
      maxBodyBytes: MOST_BODY_BYTES,
      routes: [
        {
          method: "POST",
          path: "/slow",
          handle: ({ signal }) =>
            new Promise(resolve => {
              waiting++;
              signal.addEventListener("abort", () => resolve({ status: 200 }));
            }),
        },
      ],
    });
    const socket = connect(slow.port, "127.0.0.1").on("error", () => {});
    const request = `POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n${"x".repeat(20_000)}`;
    socket.write(request.repeat(3));
    await until(() => waiting === 3);
    assert.ok(bodies.usedBytes >= 60_000);
    socket.destroy();
    await until(() => bodies.usedBytes === 0);
    await slow.close(0);
  });

  it("is one call of the handler where a body keeps to the limit, and none where it does not; nothing is held afterwards", async () => {
    const body = fc.uint8Array({ maxLength: 3000 });
    const repeats = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(body, repeats, fc.boolean(), fc.nat(2000), async (bytes, times, isChunked, cut) => {
        calls = 0;
        const whole = Buffer.concat(Array(times).fill(bytes));
        const head = "POST /things/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        const pieces: (string | Buffer)[] = [];
        if (isChunked) {
          pieces.push(`${head}Transfer-Encoding: chunked\r\n\r\n`);
          for (let from = 0; from < whole.length; from += cut + 1) {
            const piece = whole.subarray(from, from + cut + 1);
            pieces.push(`${piece.length.toString(16)}\r\n`, piece, "\r\n");
          }
          pieces.push("0\r\n\r\n");
        } else pieces.push(`${head}Content-Length: ${whole.length}\r\n\r\n`, whole);
        const answer = await send(pieces);
        assert.equal(calls, whole.length <= MOST_BODY_BYTES ? 1 : 0);
        if (calls === 1) assert.match(answer, new RegExp(`^HTTP/1.1 200 .*"bytes":${whole.length},`, "s"));
        else if (answer !== "") assert.match(answer, /^HTTP\/1.1 413 /);
        await until(() => budget.usedBytes === 0);
      }),
      { numRuns: 60 },
    );
  });

  it("is bounded for paths, queries and headers: what has more than 16 KiB is refused before a route is looked for", async () => {
    const text = fc.oneof(
      fc.stringMatching(/^[!-~]+$/),
      fc.constantFrom(
        "%",
        "%2F",
        "/",
        "//",
        "a/",
        "/things/",
        ":",
        "?",
        "&",
        "=",
        "a=b&",
        "%C3%A4",
        ";",
        "*",
        "http://x/",
      ),
    );
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 20_000 }), fc.boolean(), async (part, times, isQuery) => {
        calls = 0;
        const long = part.repeat(Math.ceil(times / part.length));
        const path = `/things/${isQuery ? "a/parts/b?" : ""}${long}`;
        const answer = await send([`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`]);
        const status = Number(/^HTTP\/1.1 (\d+) /.exec(answer)?.[1]);
        assert.ok([200, 400, 404, 405, 431].includes(status), `${status} for ${path.slice(0, 60)}`);
        if (path.length > 17_000) assert.ok(status === 431 || status === 400, `${status} at ${path.length}`);
        assert.ok(calls <= 1);
      }),
    );
    assert.match(await send([`GET /things/a/parts/b HTTP/1.1\r\nX: ${"a".repeat(17_000)}\r\n\r\n`]), /^HTTP\/1.1 431 /);
  });
});
