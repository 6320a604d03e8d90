import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import Fastify from "fastify";
import { afterEach, beforeEach, describe, it } from "mocha";
import { showsToken } from "../../runtime/bearer-token.ts";
import { GuessLimit, slowDownGuesses } from "../../runtime/guess-limit.ts";
import { type HttpServer, startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";
import { until } from "../support/until.ts";

const TOKEN = "sixteen-characters";

describe("who guesses tokens", () => {
  it("has made too many after 20 wrong ones in a minute, until the minute is over", () => {
    let nowMs = 0;
    const limit = new GuessLimit(() => nowMs);
    const guess = (address: string) => limit.isTooMany(address);
    for (let i = 0; i < 20; i++) assert.equal(guess("a"), false);
    nowMs = 59_999;
    assert.deepEqual([guess("a"), guess("b")], [true, false]);
    nowMs = 60_000;
    assert.equal(guess("a"), false);
  });

  it("has made too many, whatever its address, after 200 wrong ones of all together in a minute", () => {
    let nowMs = 0;
    const limit = new GuessLimit(() => nowMs);
    const guess = (i: number) => limit.isTooMany(`10.0.0.${i}`);
    for (let i = 0; i < 200; i++) assert.equal(guess(i), false);
    nowMs = 59_999;
    assert.deepEqual([guess(200), guess(201)], [true, true]);
    nowMs = 60_000;
    assert.equal(guess(202), false);
  });

  it("is forgotten for others, so that no number of addresses takes more memory", () => {
    const limit = new GuessLimit(() => 0);
    for (let i = 0; i < 30_000; i++) limit.isTooMany(`10.0.${i >> 8}.${i & 255}`);
    assert.equal(limit.addresses, 10_000);
  });

  it("is answered late, and its connection ends, while the right token and requests without one pass", async () => {
    const app = Fastify();
    let answerLate = (): void => undefined;
    slowDownGuesses(app, () => new Promise<void>(resolve => (answerLate = resolve)));
    let looked = 0;
    app.get("/", async (request, reply) => {
      looked++;
      return reply.code(showsToken(request.headers.authorization, TOKEN) ? 200 : 401).send();
    });
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const get = async (token: string | null) => {
      const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(url, { headers });
      await answer.arrayBuffer();
      return answer;
    };
    try {
      for (let i = 0; i < 5; i++) assert.equal((await get(null)).status, 401);
      for (let i = 0; i < 20; i++) assert.notEqual((await get(`wrong-${i}`)).headers.get("connection"), "close");
      let isAnswered = false;
      const guessed = get("wrong-again").then(answer => {
        isAnswered = true;
        return answer;
      });
      await until(() => looked === 26);
      assert.equal((await get(TOKEN)).status, 200);
      assert.equal((await get(null)).status, 401);
      assert.equal(isAnswered, false);
      answerLate();
      const late = await guessed;
      assert.deepEqual([late.status, late.headers.get("connection")], [401, "close"]);
    } finally {
      await app.close();
    }
  });

  describe("of a server", () => {
    let server: HttpServer;
    /** The tokens that the handler has looked at, in this order. */
    let looked: string[];
    beforeEach(async () => {
      looked = [];
      server = await startHttpServer({
        ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent") },
        routes: [
          {
            method: "GET",
            path: "/",
            handle: ({ headers }) => {
              looked.push(headers.authorization ?? "");
              return { status: showsToken(headers.authorization, TOKEN) ? 200 : 401 };
            },
          },
        ],
      });
    });
    afterEach(() => server.close(0));

    it("is not faster where it does not wait for answers: one guess is looked at for each connection", async () => {
      const socket = connect(server.port, "127.0.0.1").setEncoding("latin1");
      let got = "";
      socket.on("data", (text: string) => {
        got += text;
      });
      const guess = (i: number) => `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong-${i}\r\n\r\n`;
      socket.write(Array.from({ length: 30 }, (_, i) => guess(i)).join(""));
      await once(socket, "close");
      assert.equal(got.match(/HTTP\/1.1 401 /g)?.length, 21);
      assert.equal(looked.length, 21);
    });
  });
});
