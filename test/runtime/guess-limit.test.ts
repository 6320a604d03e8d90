import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { showsToken } from "../../runtime/bearer-token.ts";
import { GuessLimit } from "../../runtime/guess-limit.ts";
import { startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";

const TOKEN = "sixteen-characters";

describe("who guesses tokens", () => {
  it("is not listened to after 20 wrong ones in a minute, whatever is shown then, until the minute is over", () => {
    let nowMs = 0;
    const limit = new GuessLimit(() => nowMs);
    for (let i = 0; i < 19; i++) limit.note("a");
    assert.equal(limit.countWaitSeconds("a"), 0);
    nowMs = 30_000;
    limit.note("a");
    assert.deepEqual([limit.countWaitSeconds("a"), limit.countWaitSeconds("b")], [30, 0]);
    nowMs = 60_000;
    assert.equal(limit.countWaitSeconds("a"), 0);
  });

  it("is forgotten for others, so that no number of addresses takes more memory", () => {
    const limit = new GuessLimit(() => 0);
    for (let i = 0; i < 30_000; i++) limit.note(`10.0.${i >> 8}.${i & 255}`);
    assert.equal(limit.addresses, 10_000);
  });

  it("gets 429 from a server, while a request without a token goes on", async () => {
    const server = await startHttpServer({
      ...{ host: "0.0.0.0", port: 0, logger: createLogger("test", "silent") },
      routes: [
        {
          method: "GET",
          path: "/",
          handle: ({ headers }) => ({ status: showsToken(headers.authorization, TOKEN) ? 200 : 401 }),
        },
      ],
    });
    const get = async (token: string | null, host = "127.0.0.1") => {
      const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(`http://${host}:${server.port}/`, { headers });
      await answer.arrayBuffer();
      return answer;
    };
    for (let i = 0; i < 5; i++) assert.equal((await get(null)).status, 401);
    assert.equal((await get(TOKEN)).status, 200);
    const guessed = [];
    for (let i = 0; i < 30; i++) guessed.push((await get(`guess-number-${i}-of-many`)).status);
    assert.deepEqual([guessed.slice(0, 20), guessed.slice(-5)], [Array(20).fill(401), Array(5).fill(429)]);
    const refused = await get(TOKEN);
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    assert.equal((await get(null)).status, 401);
    await server.close(0);
  });
});
