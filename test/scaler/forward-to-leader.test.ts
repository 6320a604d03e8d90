import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { showsToken } from "../../runtime/bearer-token.ts";
import { type HttpRequest, type HttpServer, startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";
import { answeredByLeader } from "../../scaler/forward-to-leader.ts";
import type { Leadership } from "../../scaler/leadership.ts";

const TOKEN = "the-token-of-all-scalers";
const FORWARDED = "x-variscale-forwarded";

describe("what a follower passes on", () => {
  let nowMs: number;
  let seen: HttpRequest[];
  let leader: HttpServer;
  let follower: HttpServer;

  async function open(isLeading: boolean, leaderAt: string | null): Promise<HttpServer> {
    const leadership: Leadership = {
      isLeading,
      mayBeLost: false,
      leader: leaderAt === null ? null : { http: leaderAt, switchers: "127.0.0.1:1" },
    };
    const routes = (["PUT", "GET"] as const).map(method => ({
      method,
      path: "/things/:name",
      handle: (request: HttpRequest) => {
        seen.push(request);
        const isShown = showsToken(request.headers.authorization, TOKEN);
        return { status: isShown || method === "GET" ? 200 : 401, body: { name: request.params["name"] } };
      },
    }));
    return await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent") },
      routes: answeredByLeader(routes, { leadership, token: TOKEN, nowMs: () => nowMs }),
    });
  }

  const put = (
    server: HttpServer,
    headers: Record<string, string>,
    body = "{}",
    path = "/things/a%20b?why=it%27s+so",
  ) => fetch(`http://127.0.0.1:${server.port}${path}`, { method: "PUT", headers, body });

  beforeEach(async () => {
    nowMs = 1_700_000_000_000;
    seen = [];
    leader = await open(true, null);
    follower = await open(false, `127.0.0.1:${leader.port}`);
  });
  afterEach(() => Promise.all([leader, follower].map(server => server.close(0))));

  it("is taken by the leader where the follower was shown the token, and refused where it was not", async () => {
    const answer = await put(follower, { authorization: `Bearer ${TOKEN}` });
    assert.deepEqual([answer.status, await answer.json()], [200, { name: "a b" }]);
    assert.equal((await put(follower, { authorization: "Bearer other" })).status, 401);
    assert.equal((await put(follower, {})).status, 401);
  });

  it("never has the token, whoever the Lease names", async () => {
    const stranger = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent") },
      routes: [
        {
          method: "PUT",
          path: "/things/:name",
          handle: request => {
            seen.push(request);
            return { status: 200 };
          },
        },
      ],
    });
    const misled = await open(false, `127.0.0.1:${stranger.port}`);
    assert.equal((await put(misled, { authorization: `Bearer ${TOKEN}` })).status, 200);
    const [stolen] = seen.splice(0);
    assert.ok(stolen && stolen.headers.authorization === undefined);
    assert.ok(!JSON.stringify(stolen.headers).includes(TOKEN));

    const proof = { [FORWARDED]: String(stolen.headers[FORWARDED]) };
    assert.equal((await put(leader, proof)).status, 200, "the proof is good for this very request");
    assert.equal((await put(leader, proof, '{"mode":"active"}')).status, 401);
    assert.equal((await put(leader, proof, "{}", "/things/other")).status, 401);
    assert.equal((await put(leader, { [FORWARDED]: proof[FORWARDED]!.replace(/^\d/, "2") })).status, 401);
    nowMs += 61_000;
    assert.equal((await put(leader, proof)).status, 401);
    await Promise.all([stranger, misled].map(server => server.close(0)));
  });
});
