import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openPrometheusClient, type PrometheusClient } from "../../scaler/prometheus-client.ts";
import { type PrometheusOptions, parsePrometheusUrl } from "../../scaler/prometheus-options.ts";
import { SERVER_PAIR, TEST_CA } from "../support/kubernetes-certificates.ts";
import { FakePrometheus, success } from "./support/fake-prometheus.ts";
import { ManualClock, until } from "./support/manual-clock.ts";

describe("openPrometheusClient()", () => {
  const clients: PrometheusClient[] = [];
  let prometheus: FakePrometheus;
  let folder: string;

  const open = (rest = "", more: Partial<PrometheusOptions> = {}): PrometheusClient => {
    const client = openPrometheusClient({
      ...parsePrometheusUrl(`prometheus+http://127.0.0.1:${prometheus.port}${rest}`, null),
      ...more,
    });
    clients.push(client);
    return client;
  };
  const refused = (client: PrometheusClient, message: RegExp) =>
    assert.rejects(client.ask("query", { query: "x[1s]" }), { name: "VariscaleError", message });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-test-"));
    prometheus = await FakePrometheus.start(new ManualClock());
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await prometheus.close();
    rmSync(folder, { recursive: true });
  });

  it("asks by POST, below the path of the address, with the time that it has", async () => {
    const { series } = await open("/prom?timeoutMs=700&tenant=team-a").ask("query", { query: "time()" });
    assert.equal(series[0]?.points[0]?.atMs, 1_700_000_000_000);
    const [asked] = prometheus.asked;
    assert.deepEqual([asked?.method, asked?.path], ["POST", "/prom/api/v1/query"]);
    assert.deepEqual(Object.fromEntries(asked?.form ?? []), { query: "time()", timeout: "700ms" });
    assert.equal(asked?.headers["x-scope-orgid"], "team-a");
    assert.equal(asked?.headers.authorization, undefined);
  });

  it("asks by GET from then on where POST is not allowed", async () => {
    prometheus.answer = (response, asked) => {
      if (asked.method === "POST") response.writeHead(405).end();
      else response.end(prometheus.answerTo(asked));
    };
    const client = open();
    await client.ask("query", { query: "time()" });
    await client.ask("query", { query: "time()" });
    assert.deepEqual(
      prometheus.asked.map(({ method, form }) => `${method} ${form.get("query")}`),
      ["POST time()", "GET time()", "GET time()"],
    );
  });

  it("sends a token that it reads anew each time, and says when it can't", async () => {
    const bearerTokenFile = join(folder, "token");
    const client = open("", { bearerTokenFile });
    await refused(client, /bearerTokenFile .*token can't be read: ENOENT/);
    writeFileSync(bearerTokenFile, "two words\n");
    await refused(client, /does not hold one token$/);
    for (const token of ["first", "second"]) {
      writeFileSync(bearerTokenFile, `${token}\n`);
      await client.ask("query", { query: "time()" });
      assert.equal(prometheus.asked.at(-1)?.headers.authorization, `Bearer ${token}`);
    }
  });

  it("sends user name and password", async () => {
    await open("", { basicAuth: { username: "me", password: "pä:ss" } }).ask("query", { query: "time()" });
    const expected = `Basic ${Buffer.from("me:pä:ss").toString("base64")}`;
    assert.equal(prometheus.asked[0]?.headers.authorization, expected);
  });

  it("trusts the certificates of the CA file, and follows when it changes", async () => {
    const server = createTlsServer({ key: SERVER_PAIR.key, cert: SERVER_PAIR.certificate });
    const secured = await FakePrometheus.start(new ManualClock(), server);
    try {
      const caFile = join(folder, "ca.pem");
      const url = `https://127.0.0.1:${secured.port}`;
      await refused(open("", { url }), /certificate/);
      const client = open("", { url, caFile });
      await refused(client, /caFile .*ca\.pem can't be read: ENOENT/);
      writeFileSync(caFile, "none");
      await assert.rejects(client.ask("query", { query: "time()" }), { name: "VariscaleError" });
      writeFileSync(caFile, TEST_CA);
      assert.equal((await client.ask("query", { query: "time()" })).series.length, 1);
    } finally {
      await secured.close();
    }
  });

  it("follows no redirect, and says where it leads", async () => {
    prometheus.answer = response => response.writeHead(302, { location: "http://elsewhere/login" }).end();
    await refused(open(), /a redirect to `http:\/\/elsewhere\/login` \(status 302\), which is not followed/);
    assert.equal(prometheus.asked.length, 1);
  });

  it("says what was refused, with Prometheus's own words", async () => {
    const error = JSON.stringify({ status: "error", errorType: "bad_data", error: "parse error: no" });
    const cases: readonly (readonly [number, string, RegExp])[] = [
      [400, error, /^answered with status 400: bad_data: parse error: no$/],
      [401, "", /^refused the credentials \(status 401\)$/],
      [403, error, /^refused the credentials \(status 403\): bad_data/],
      [503, "<html>", /^answered with status 503$/],
      [200, "<html>", /none of a Prometheus: it is not JSON/],
      [500, success("scalar", [1, "2"]), /^answered with status 500$/],
    ];
    for (const [status, text, message] of cases) {
      prometheus.answer = response => response.writeHead(status).end(text);
      await refused(open(), message);
    }
  });

  it("reads no answer that is too large, and none that does not end", async () => {
    prometheus.answer = response => response.end(Buffer.alloc(5 * 1024 * 1024, " "));
    await assert.rejects(open().ask("query", { query: "x" }), {
      code: "resource_exhausted",
      message: /more than 4194304 bytes: select fewer series/,
    });
    prometheus.answer = response => response.writeHead(200).write("{");
    await refused(open("?timeoutMs=100"), /no answer within 100 ms/);
  });

  it("says when nobody answers, and when the answer breaks off", async () => {
    prometheus.answer = response => {
      response.writeHead(200, { "content-length": 100 }).write("{");
      setImmediate(() => response.destroy());
    };
    await assert.rejects(open().ask("query", { query: "x" }), { name: "VariscaleError", code: "unavailable" });
    const client = open();
    await prometheus.close();
    await refused(client, /ECONNREFUSED/);
    prometheus = await FakePrometheus.start(new ManualClock());
  });

  it("asks once more, over a new connection, where a kept one was closed by the other side", async () => {
    const client = open();
    await client.ask("query", { query: "time()" });
    // A connection is free again some microtasks after its answer.
    await new Promise(setImmediate);
    let cut = 0;
    prometheus.answer = (response, asked) => {
      cut += 1;
      if (cut === 1) response.destroy();
      else response.end(prometheus.answerTo(asked));
    };
    assert.equal((await client.ask("query", { query: "time()" })).series.length, 1);
    assert.equal(cut, 2);
  });

  it("ends what runs when it is closed", async () => {
    prometheus.answer = () => undefined;
    const client = open();
    const asking = assert.rejects(client.ask("query", { query: "x" }), { name: "VariscaleError" });
    await until(() => prometheus.asked.length === 1, "the query");
    client.close();
    await asking;
    await refused(client, /closed/);
  });
});
