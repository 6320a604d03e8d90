import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { testPipeline } from "../scaler/support/test-pipeline.ts";
import { type Ended, runVariscale } from "./support/run-variscale.ts";

const TOKEN = "a-token-of-the-scaler";

describe("variscale pin, unpin and mode", function () {
  this.timeout(120_000);
  let folder: string;
  let running: RunningScaler;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    running = await RunningScaler.start({ stateDir: join(folder, "state"), token: TOKEN });
  });
  afterEach(async () => {
    await running.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const variscale = (args: readonly string[], token: string | null = TOKEN): Promise<Ended> =>
    runVariscale([...args, "--url", running.url("")], { env: { VARISCALE_TOKEN: token ?? "" } });
  const pinsNow = async (): Promise<readonly { readonly stage: string; readonly replicas: number }[]> =>
    ((await (await fetch(running.url("/api/v1/pipelines/shop/cards/pin"))).json()) as { pins: [] }).pins;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the audit log
  const audited = (): readonly any[] =>
    readFileSync(join(folder, "state/changes.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(text => JSON.parse(text));

  it("pins, says what was before, and the plan keeps to it until it is unpinned", async () => {
    await running.planFor(20);
    const first = await variscale(["pin", "shop/cards", "--stage", "read", "--replicas", "2", "--ttl", "1h"]);
    assert.deepEqual([first.status, first.stderr], [0, ""]);
    assert.match(
      first.stdout,
      /^shop\/cards: stage read was not pinned\n.* is pinned to 2 replicas until \d{4}-.*Z\n$/,
    );
    const more = ["--variant", "light", "--batch", "2", "--replicas", "4", "--output", "json"];
    const second = await variscale(["pin", "--stage", "read", ...more, "--by", "ann", "--reason", "compare"]);
    const pinned = JSON.parse(second.stdout);
    assert.deepEqual(
      [pinned.name, pinned.variant, pinned.batch, pinned.replaced.replicas, pinned.dryRun],
      ["cards", "light", 2, 2, false],
    );
    assert.equal(pinned.expiresAtMs - pinned.setAtMs, 600_000);
    await running.runUntil(board => board.reasons.includes("pinned"));
    assert.deepEqual(
      running.board?.plan?.stages[1]?.parts.map(part => [part.variant, part.batch, part.replicas]),
      [["light", 2, 4]],
    );
    const unpinned = await variscale(["unpin", "--stage", "read"]);
    assert.match(unpinned.stdout, /read is no longer pinned to variant light, batch 2, 4 replicas/);
    assert.match((await variscale(["unpin"])).stdout, /nothing was pinned/);
    assert.deepEqual(await pinsNow(), []);
    await running.runUntil(board => !board.reasons.includes("pinned"));
  });

  it("writes who, from where, what and why into the audit log", async () => {
    await variscale(["pin", "--stage", "read", "--replicas", "2", "--by", "ann", "--reason", "wärmer"]);
    await variscale(["mode", "shadow", "--reason", "night"]);
    await variscale(["unpin", "--by", "bob", "--reason", "done"]);
    await fetch(running.url("/api/v1/pipelines/shop/cards/mode"), {
      method: "PUT",
      headers: { authorization: `Bearer ${TOKEN}`, "x-forwarded-for": "10.1.2.3" },
      body: '{"mode": "active"}',
    });
    await running.close();
    const [pin, mode, unpin, forwarded] = audited();
    assert.deepEqual([pin.forwardedFor, forwarded.by, forwarded.forwardedFor], [null, "", "10.1.2.3"]);
    assert.deepEqual(
      [pin.kind, pin.pipeline, pin.pin.replicas, pin.replaced, pin.by, pin.reason, pin.shown],
      ["pin", "cards", 2, null, "ann", "wärmer", "token"],
    );
    assert.match(pin.from, /^(::ffff:)?127\.|^::1$/);
    assert.match(mode.by, /.@./);
    assert.deepEqual([mode.kind, mode.before, mode.mode, mode.reason], ["mode", "active", "shadow", "night"]);
    assert.deepEqual([unpin.kind, unpin.removed[0].by, unpin.by, unpin.reason], ["unpin", "ann", "bob", "done"]);
    running = await RunningScaler.start();
  });

  it("only says what would change with --dry-run, and leaves no entry", async () => {
    await running.planFor(20);
    const pin = await variscale(["pin", "--stage", "read", "--replicas", "3", "--dry-run"]);
    assert.match(pin.stdout, /stage read would be pinned to 3 replicas/);
    const mode = await variscale(["mode", "shadow", "--dry-run"]);
    assert.match(mode.stdout, /the mode was active\n.* would be shadow/);
    assert.match((await variscale(["mode", "active"])).stdout, /the mode is active already/);
    assert.match((await variscale(["unpin", "--dry-run"])).stdout, /nothing was pinned/);
    assert.deepEqual(await pinsNow(), []);
    const wrong = await variscale(["pin", "--stage", "read", "--replicas", "11", "--dry-run"]);
    assert.deepEqual([wrong.status, wrong.stdout], [2, ""]);
    await running.close();
    assert.deepEqual(
      audited().map(({ kind, mode, before }) => [kind, mode, before]),
      [["mode", "active", "active"]],
    );
    running = await RunningScaler.start();
  });

  it("changes the mode, and says how long it stays", async () => {
    await running.planFor(20);
    const { status, stdout } = await variscale(["mode", "shadow", "shop/cards"]);
    assert.equal(status, 0);
    assert.match(stdout, /the mode is shadow \(its file says active; a new mode in the file wins\)/);
    await running.runUntil(board => board.mode === "shadow");
    const pinned = await variscale(["pin", "--stage", "read", "--variant", "light"]);
    assert.match(
      pinned.stdout,
      /is pinned to variant light .*\nshop\/cards: in mode shadow it changes the plan, and not what is served/,
    );
  });

  it("names what is wrong: token, address, pipeline, stage, time", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, "two\nlines");
    const stage = ["--stage", "read", "--replicas", "1"];
    const cases: readonly (readonly [args: readonly string[], status: number, message: RegExp, token?: null])[] = [
      [["pin", ...stage], 1, /only with its token, .*--token-file FILE or in VARISCALE_TOKEN/, null],
      [["mode", "shadow"], 1, /only with its token/, null],
      [["unpin", "--token-file", tokenFile], 2, /--token-file .*token: must have one line/],
      [["unpin", "--token-file", "/nowhere"], 1, /--token-file \/nowhere can't be read/],
      [["pin", "shop/card", ...stage], 1, /unknown pipeline `card`; .*cards/],
      [["pin", "a/b/c", ...stage], 2, /a\/b\/c: must be namespace\/name/],
      [["pin", "shop/..", ...stage], 2, /shop\/\.\.: must be namespace\/name/],
      [["pin", "--stage", "raed", "--replicas", "1"], 2, /stage: is not a stage .*detect, read/],
      [["pin", "--stage", "read", "--variant", "huge"], 2, /variant: is not a variant .*heavy, middle, light/],
      [["pin", "--stage", "read"], 2, /fix at least one of --variant, --batch and --replicas/],
      [["pin", ...stage, "--reason", "two\nlines"], 2, /reason: must be one line/],
      [["unpin", "--stage", "crop"], 2, /stage: is not a stage/],
    ];
    await Promise.all(
      cases.map(async ([args, status, message, token]) => {
        const ended = await variscale(args, token === null ? null : TOKEN);
        assert.match(ended.stderr, message, args.join(" "));
        assert.deepEqual([ended.status, ended.stdout], [status, ""], args.join(" "));
        assert.doesNotMatch(ended.stderr, /^\s+at |a-token/m);
      }),
    );
    const gone = await runVariscale(["mode", "shadow", "--url", "http://127.0.0.1:1"]);
    assert.match(gone.stderr, /http:\/\/127\.0\.0\.1:1\/\S+ does not answer: .*Is --url the scaler's HTTP port\?/);
    assert.match((await runVariscale(["unpin", "--url", "scaler:8080"])).stderr, /--url `scaler:8080` is no address/);
    const late = await runVariscale(["pin", ...stage, "--ttl", "31d"]);
    assert.match(late.stderr, /--ttl .* must be a time from 1s to 30d/);
    assert.deepEqual(await pinsNow(), []);
  });

  it("asks for the pipeline where the scaler has several", async () => {
    const pipelines = [testPipeline(), testPipeline({ name: "other" })];
    const several = await RunningScaler.start({ pipelines });
    try {
      const url = several.url("");
      const ended = await runVariscale(["mode", "shadow", "--url", url]);
      assert.equal(ended.status, 2);
      assert.match(ended.stderr, /name one of its pipelines: shop\/cards, shop\/other/);
      const named = await runVariscale(["mode", "shadow", "shop/other", "--url", url, "--output", "json"]);
      assert.equal(JSON.parse(named.stdout).name, "other");
    } finally {
      await several.close();
    }
  });
});
