import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "mocha";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { affineConfig, errorOf, TestFolder, TestSwitcher, until } from "../support/switcher-harness.ts";

describe("the admin endpoint", () => {
  const folder = new TestFolder();
  let switcher: TestSwitcher;
  const put = (body: unknown, etag: string | null) =>
    switcher.admin("assignment", {
      method: "PUT",
      headers: etag === null ? {} : { "if-match": etag },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  const read = async () => {
    const response = await switcher.admin("assignment");
    return { etag: response.headers.get("etag"), body: (await response.json()) as { pin: { variant: string } | null } };
  };

  before(async () => {
    switcher = await TestSwitcher.startReady(affineConfig(folder.path));
  });
  after(async () => {
    await switcher.close();
    folder.delete();
  });

  it("pins with the ETag that was read, shows the pin, and unpins", async () => {
    const before = await read();
    assert.equal(before.body.pin, null);
    const pinned = await put({ variant: "b", batch: 2, ttlMs: 60_000 }, before.etag);
    assert.equal(pinned.status, 200);
    assert.notEqual(pinned.headers.get("etag"), before.etag);
    const now = await read();
    assert.equal(now.body.pin?.variant, "b");
    assert.equal((await switcher.infer([1])).body.model_version, "b");
    const unpinned = await switcher.admin("assignment", { method: "DELETE", headers: { "if-match": now.etag ?? "" } });
    assert.equal(unpinned.status, 200);
    assert.equal((await read()).body.pin, null);
    assert.equal((await switcher.infer([1])).body.model_version, "a");
  });

  it("refuses a change without If-Match, and one of something that has changed", async () => {
    const { etag } = await read();
    assert.equal((await put({ variant: "b" }, null)).status, 428);
    const stale = await put({ variant: "b" }, '"9.9.9"');
    assert.equal(stale.status, 412);
    assert.match(await errorOf(stale), /If-Match is "9\.9\.9", but the assignment is at/);
    assert.equal((await switcher.admin("assignment", { method: "DELETE" })).status, 428);
    assert.equal((await read()).etag, etag);
  });

  it("lets a pin expire", async () => {
    await put({ variant: "c", ttlMs: 30 }, "*");
    await until(async () => (await read()).body.pin === null, "expired");
    await until(async () => (await switcher.infer([1])).body.model_version === "a", "back");
    assert.equal((await switcher.switches()).at(-1)?.cause, "unpin");
  });

  for (const [body, message] of [
    ["{", /the body is no JSON/],
    [[], /pin: it is \[\]; it must be an object/],
    [{}, /pin: variant is missing; it must be one of a, b, c/],
    [{ variant: "z" }, /pin: variant is "z"; it must be one of a, b, c/],
    [{ variant: "a", batch: 0 }, /pin: batch is 0; it must be a number from 1 to 4096/],
    [{ variant: "a", batch: 1.5 }, /pin: batch is 1\.5; it must be a whole number/],
    [{ variant: "a", ttlMs: 1e12 }, /pin: ttlMs/],
    [{ variant: "a", force: true }, /pin: force is true; it is not known here; known are variant, batch, ttlMs/],
  ] as const)
    it(`answers 400 to ${JSON.stringify(body)}`, async () => {
      const response = await put(body, "*");
      assert.equal(response.status, 400);
      assert.match(await errorOf(response), message);
    });

  it("refuses a web page that has pointed its own name at the loopback interface", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = {
        port: switcher.switcher.ports.admin,
        path: "/admin/v1/variants",
        headers: { host: "evil.example" },
      };
      request({ host: "127.0.0.1", ...options }, response => resolve(response.statusCode))
        .on("error", reject)
        .end();
    });
    assert.equal(status, 403);
  });

  /** As a browser sends it: fetch() does not let its own headers be set. */
  const ask = (method: string, path: string, headers: Record<string, string>, body = "{}") =>
    new Promise<number | undefined>((resolve, reject) => {
      const { admin: port } = switcher.switcher.ports;
      request({ host: "127.0.0.1", port, method, path: `/admin/v1/${path}`, headers }, response =>
        resolve(response.resume().statusCode),
      )
        .on("error", reject)
        .end(method === "PUT" || method === "POST" ? body : undefined);
    });

  for (const [name, headers] of [
    ["another origin", { origin: "https://evil.example" }],
    ["an origin of another port", { origin: "http://127.0.0.1:1" }],
    ["no origin that it would tell", { origin: "null" }],
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["another port of the site", { "sec-fetch-site": "same-site" }],
  ] as const)
    it(`refuses a change that a browser is made to ask for by ${name}`, async () => {
      const before = await read();
      assert.equal(await ask("POST", "profile", headers, '{"variant":"b","seconds":0}'), 403);
      assert.equal(await ask("POST", "drain", headers), 403);
      const change = { ...headers, "if-match": "*" };
      assert.equal(await ask("PUT", "assignment", change, '{"variant":"b"}'), 403);
      assert.equal(await ask("DELETE", "assignment", change), 403);
      assert.equal((await read()).etag, before.etag);
      assert.equal((await switcher.http("/v2/health/ready")).status, 200);
      assert.equal(await ask("GET", "variants", headers), 200);
    });

  it("takes a change from a page of its own", async () => {
    const origin = `http://127.0.0.1:${switcher.switcher.ports.admin}`;
    const headers = { origin, "sec-fetch-site": "same-origin" };
    assert.equal(await ask("PUT", "log-level", headers, '{"level":"silent"}'), 200);
  });

  it("listens beyond the loopback interface only with a token, and then asks for it", async () => {
    const open = affineConfig(folder.path, { adminHost: "0.0.0.0" });
    assert.throws(() => parseSwitcherConfig(open), /adminHost is "0\.0\.0\.0"; it must be a loopback address unless/);
    for (const adminToken of ["fifteen-of-them", "a-token-of-enough-length\n", "a-token-of-enough-length "])
      assert.throws(() => parseSwitcherConfig({ ...open, adminToken }), /adminToken .* must be at least 16 characters/);
    const adminToken = "a-token-of-enough-length";
    const guarded = await TestSwitcher.startReady({ ...open, adminToken });
    try {
      assert.equal((await guarded.admin("variants")).status, 401);
      const headers = { authorization: "Bearer a-token-of-other-length" };
      assert.equal((await guarded.admin("variants", { headers })).status, 401);
      headers.authorization = `Bearer ${adminToken}`;
      assert.equal((await guarded.admin("variants", { headers })).status, 200);
    } finally {
      await guarded.close();
    }
  });

  it("counts rows, batches and Switches in its metrics", async () => {
    const text = await switcher.metrics();
    for (const line of [
      /variscale_switcher_served_rows_total{stage="affine",variant="a"} [1-9]\d*/,
      /variscale_switcher_served_rows_total{stage="affine",variant="c"} \d+/,
      /variscale_switcher_batches_total{stage="affine",variant="a",why="top"} [1-9]\d*/,
      /variscale_switcher_batches_total{stage="affine",variant="a",why="late"} 0/,
      /variscale_switcher_batch_rows_count{stage="affine",variant="a"} \d+/,
      /variscale_switcher_switch_seconds_count{stage="affine",outcome="done"} \d+/,
      /variscale_switcher_switch_step_seconds_count{stage="affine",step="warm",outcome="done"} \d+/,
      /variscale_switcher_switch_step_seconds_count{stage="affine",step="swap",outcome="done"} \d+/,
      /variscale_switcher_session_memory_bytes{stage="affine",variant="a"} [1-9]\d+/,
      /variscale_switcher_assigned_batch{stage="affine"} 1/,
      /variscale_switcher_variant_info{stage="affine",variant="a"} 1/,
      /variscale_switcher_variant_info{stage="affine",variant="b"} 0/,
      /variscale_switcher_resident_sessions{stage="affine"} 3/,
      /variscale_build_info{process="variant-switcher"/,
    ])
      assert.match(text, line);
  });
});
