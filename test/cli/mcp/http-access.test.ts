import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { request as httpRequest } from "node:http";
import { afterEach, beforeEach, describe, it } from "mocha";
import { runVariscale } from "../support/run-variscale.ts";
import { ended, HTTP_TOKEN, startHttp } from "./support/mcp-client.ts";

describe("variscale mcp over Streamable HTTP, from whom it must not serve", function () {
  this.timeout(120_000);
  let opened: { readonly child: ChildProcess; readonly url: string };
  beforeEach(async () => {
    opened = await startHttp(["--url", "http://127.0.0.1:1"]);
  });
  afterEach(() => ended(opened.child));

  const LIST = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
  const post = (headers: Record<string, string>, body = LIST, method = "POST"): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const all = {
        authorization: `Bearer ${HTTP_TOKEN}`,
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
        ...headers,
      };
      const request = httpRequest(opened.url, { method, headers: all }, response => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on("error", reject);
      request.end(method === "GET" ? undefined : body);
    });

  it("refuses who does not show the token, and all web pages", async () => {
    assert.equal(await post({}), 200);
    assert.equal(await post({ authorization: "" }), 401);
    assert.equal(await post({ authorization: "Bearer other" }), 401);
    assert.equal(await post({ authorization: `Basic ${HTTP_TOKEN}` }), 401);
    assert.equal(await post({ origin: "http://evil.example" }), 403);
    assert.equal(await post({ origin: "http://127.0.0.1" }), 403);
    assert.equal(await post({ origin: "null" }), 403);
    assert.equal(await post({ host: "evil.example:80" }), 403);
    assert.equal(await post({}, "", "GET"), 405);
    assert.equal(await post({}, "", "DELETE"), 405);
  });

  it("refuses nonsense and what is too large, and goes on", async () => {
    for (const body of ["", "{", "null", '{"jsonrpc":"1.0"}', '"x"']) assert.equal(await post({}, body), 400, body);
    assert.equal(await post({ "content-type": "text/plain" }), 415);
    assert.equal(await post({ accept: "text/html" }), 406);
    assert.equal(await post({}, "x".repeat(2 * 1024 * 1024)).catch(() => 413), 413);
    assert.equal(await post({}), 200);
  });

  it("needs a token, and names what is wrong with it", async () => {
    const none = await runVariscale(["mcp", "--http", "0"], { env: { VARISCALE_MCP_TOKEN: "" } });
    assert.deepEqual([none.status, none.stdout], [2, ""]);
    assert.match(none.stderr, /--http needs a token .*--http-token-file, or set VARISCALE_MCP_TOKEN/);
    const short = await runVariscale(["mcp", "--http", "0"], { env: { VARISCALE_MCP_TOKEN: "short" } });
    assert.equal(short.status, 2);
    assert.match(short.stderr, /VARISCALE_MCP_TOKEN: the token has 5 characters, and could be guessed/);
    const gone = await runVariscale(["mcp", "--http", "0", "--http-token-file", "/nowhere"]);
    assert.match(gone.stderr, /--http-token-file \/nowhere can't be read/);
  });
});
