// Changes on the live page in a real Chromium, before a real scaler with a token. Plain JavaScript, as live-page.test.mjs.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { RunningScaler } from "../../dist/test/scaler/support/running-scaler.js";
import { axeViolations, keepScreenshot, openChromium, openPage } from "./support/chromium.mjs";

const TOKEN = "correct-horse-battery-staple";

describe("changes on the live page in Chromium", () => {
  let browser;
  let folder;
  let running;
  let page;
  let troubles;
  let sent;

  before(async () => {
    browser = await openChromium();
  });
  after(() => browser?.close());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-page-"));
  });
  afterEach(async () => {
    await page?.context().close();
    await running?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The page before a scaler with a plan; `sent`: its requests that are more than reading. */
  async function open({ token = TOKEN, ...options } = {}) {
    running = await RunningScaler.start({ token, stateDir: folder });
    await running.planFor(50);
    ({ page, troubles } = await openPage(browser, options));
    sent = [];
    page.on("request", request => request.method() !== "GET" && sent.push(request));
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps/);
  }
  const shows = (id, pattern) =>
    page.waitForFunction(
      ([name, source]) => new RegExp(source).test(document.getElementById(name)?.textContent ?? ""),
      [id, pattern.source],
    );
  /** Those that were more than a check. */
  const made = () => sent.filter(request => !request.url().includes("dryRun=true"));
  const askFor = async what => (await fetch(running.url(`/api/v1/pipelines/shop/cards/${what}`))).json();
  const audited = () =>
    readFileSync(join(folder, "changes.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
  const button = name => page.getByRole("button", { name, exact: true });
  const field = name => page.locator("#change").getByLabel(name, { exact: true });

  async function unlock(token) {
    await page.getByText("Change something").click();
    await field("token of the scaler").fill(token);
    await button("Unlock").click();
  }
  async function unlocked(options) {
    await open(options);
    await unlock(TOKEN);
    await shows("change", /unlocked/);
  }

  it("has nothing to change anything with until the token is shown", async () => {
    await open();
    await page.getByText("Change something").click();
    for (const name of ["Pin", "Switch to shadow mode"]) assert.equal(await button(name).count(), 0);
    await field("token of the scaler").fill("wrong");
    await button("Unlock").click();
    await shows("change", /refused: the scaler does not know this token/);
    assert.equal(await page.locator("#change [role=alert]").count(), 1);
    for (const name of ["Pin", "Switch to shadow mode"]) assert.equal(await button(name).count(), 0);
    await field("token of the scaler").fill("with–dash");
    await button("Unlock").click();
    await shows("change", /characters that no token has/);
    assert.deepEqual(made(), []);
    assert.equal(sent.length, 1);
  });

  it("pins a stage after it was confirmed, shows the entry of the audit log, and unpins it, by keyboard alone", async () => {
    await open();
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const type = text => page.keyboard.type(text);
    await page.locator("summary").focus();
    await press("Enter", "Tab");
    await type(TOKEN);
    await press("Enter");
    await shows("change", /unlocked$/);
    // The first field has the focus: who, why, stage, variant, replicas.
    await type("ann");
    await press("Tab");
    await type("compare");
    await press("Tab");
    await type("read");
    await press("Tab");
    await type("light");
    await press("Tab");
    await type("4");
    await press("Enter");
    const dialog = page.getByRole("dialog", { name: "Pin read?" });
    await dialog.waitFor();
    assert.match(await dialog.textContent(), /read was not pinned.*would be pinned to variant light, 4 replicas until/);
    assert.deepEqual([(await askFor("pin")).pins, made()], [[], []]);
    await press("Escape");
    await shows("change", /nothing was changed/);
    assert.deepEqual([(await askFor("pin")).pins, made()], [[], []]);
    await press("Enter");
    await dialog.waitFor();
    await press("Tab", "Enter");
    await shows("change", /stage read is pinned to variant light, 4 replicas until/);
    const [pin] = (await askFor("pin")).pins;
    assert.deepEqual([pin.stage, pin.variant, pin.replicas, pin.batch, pin.by], ["read", "light", 4, null, "ann"]);
    assert.equal(pin.expiresAtMs - pin.setAtMs, 600_000);
    await shows("changes", /read pinned to variant light, 4 replicas until .* by ann, with the token: compare/);
    await shows("banners", /read is pinned to variant light, 4 replicas/);
    await button("Unpin read").focus();
    await press("Enter");
    await page.getByRole("dialog", { name: "Unpin read?" }).waitFor();
    await press("Tab", "Enter");
    await shows("changes", /^read unpinned at .* by ann/);
    assert.deepEqual((await askFor("pin")).pins, []);
    assert.equal(await page.evaluate(() => document.activeElement === document.body), false);
    assert.deepEqual(troubles, []);
    await running.scaler.close();
    assert.deepEqual(
      audited().map(({ kind, by, reason, shown }) => [kind, by, reason, shown]),
      [
        ["pin", "ann", "compare", "token"],
        ["unpin", "ann", "compare", "token"],
      ],
    );
  });

  it("switches the mode, and says what that means first", async () => {
    await unlocked();
    await button("Switch to shadow mode").click();
    await page.getByText("In shadow mode the scaler does nothing more").waitFor();
    await button("Do it").click();
    await shows("banners", /Shadow mode, set by an operator/);
    assert.equal((await askFor("mode")).mode, "shadow");
    await button("Switch to active mode").click();
    await page.getByText("In active mode the scaler acts").waitFor();
    await button("Do it").click();
    await shows("changes", /^mode active, shadow before.*mode shadow, active before/);
    assert.equal((await askFor("mode")).mode, "active");
    assert.deepEqual(troubles, []);
  });

  it("says what the scaler refuses, and changes nothing", async () => {
    await unlocked();
    await button("Pin").click();
    await shows("change", /refused: .*at least one of variant, batch and replicas/);
    await field("replicas").fill("99");
    await button("Pin").click();
    await shows("change", /refused: replicas: must be within the stage's bounds, 1 to 10 \(is: 99\)/);
    await page
      .locator("#change label", { hasText: /^variant/ })
      .locator("select")
      .selectOption("unmeasured");
    await field("replicas").fill("");
    await button("Pin").click();
    await shows("change", /refused: variant: was not measured/);
    // What the browser itself refuses is not sent.
    const before = sent.length;
    await field("minutes").fill("0");
    await button("Pin").click();
    assert.equal(sent.length, before);
    assert.deepEqual(made(), []);
    // 409, as of a scaler to come: what is said is shown.
    await page.route("**/pin?dryRun=true", route =>
      route.fulfill({ status: 409, json: { error: "another change came first", code: "aborted" } }),
    );
    await field("minutes").fill("5");
    await button("Pin").click();
    await shows("change", /refused: another change came first/);
    assert.equal(await page.getByRole("dialog").count(), 0);
  });

  it("keeps the token in memory alone, and forgets it when told to, or when the page is loaded anew", async () => {
    await unlocked();
    const stored = () =>
      page.evaluate(() => JSON.stringify([location.href, document.cookie, localStorage, sessionStorage]));
    assert.ok(!(await stored()).includes(TOKEN));
    assert.ok(sent.every(request => !request.url().includes(TOKEN)));
    assert.ok(!(await page.content()).includes(TOKEN));
    await button("Lock").click();
    await shows("change", /locked/);
    assert.equal(await field("token of the scaler").inputValue(), "");
    assert.equal(await button("Pin").count(), 0);
    await field("token of the scaler").fill(TOKEN);
    await button("Unlock").click();
    await button("Pin").waitFor();
    await page.reload();
    await shows("headline", /^Load 50 rps/);
    assert.equal(await button("Pin").count(), 0);
    await page.getByText("Change something").click();
    assert.equal(await field("token of the scaler").inputValue(), "");
  });

  it("makes nothing any more once it is locked, also of what was being checked", async () => {
    await unlocked();
    let release;
    const held = new Promise(resolve => {
      release = resolve;
    });
    await page.route("**/mode?dryRun=true", async route => {
      await held;
      await route.continue();
    });
    const checked = page.waitForResponse("**/mode?dryRun=true");
    await button("Switch to shadow mode").click();
    await button("Lock").click();
    await shows("change", /locked/);
    release();
    await (await checked).finished();
    await shows("change", /nothing was changed/);
    assert.equal(await page.getByRole("dialog").count(), 0);
    assert.deepEqual(made(), []);
  });

  it("locks again when the scaler no longer takes the token", async () => {
    await unlocked();
    await page.route("**/mode?dryRun=true", route => route.fulfill({ status: 401, json: { error: "no" } }));
    await button("Switch to shadow mode").click();
    await shows("change", /refused: the scaler does not know this token/);
    assert.equal(await button("Pin").count(), 0);
  });

  it("needs none on the machine of a scaler without a token, and says why elsewhere", async () => {
    await open({ token: null });
    await unlock("");
    await shows("change", /unlocked: the scaler has no token/);
    await page.reload();
    await shows("headline", /^Load 50 rps/);
    await page.setExtraHTTPHeaders({ "x-forwarded-for": "10.1.2.3" });
    await unlock("");
    await shows("change", /refused: without a token, changes are taken from this machine alone/);
    assert.equal(await button("Pin").count(), 0);
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`has nothing that axe-core finds wrong, locked, unlocked, asking and refusing, ${colorScheme}`, async () => {
      await open({ colorScheme });
      await unlock("wrong");
      await shows("change", /does not know/);
      assert.deepEqual(await axeViolations(page), []);
      await field("token of the scaler").fill(TOKEN);
      await button("Unlock").click();
      await button("Pin").waitFor();
      await field("replicas").fill("2");
      await button("Pin").click();
      await button("Do it").waitFor();
      assert.deepEqual(await axeViolations(page), []);
      await button("Do it").click();
      await button("Unpin detect").waitFor();
      await keepScreenshot(page, `changes-${colorScheme}`);
      assert.deepEqual(await axeViolations(page), []);
    });
  }
});
