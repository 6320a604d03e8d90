// The page in a real Chromium, before a real scaler whose clock is moved by hand. Plain JavaScript: it runs in two worlds, and what it imports
// of ours is compiled.
import assert from "node:assert/strict";
import { createServer, request as httpRequest } from "node:http";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { RunningScaler } from "../../dist/test/scaler/support/running-scaler.js";
import { testPipeline } from "../../dist/test/scaler/support/test-pipeline.js";
import { axeViolations, keepScreenshot, openChromium, openPage } from "./support/chromium.mjs";

const HOSTILE = '"><img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>';

describe("the live page in Chromium", () => {
  let browser;
  let running;
  let page;
  let troubles;

  before(async () => {
    browser = await openChromium();
  });
  after(() => browser?.close());

  beforeEach(async () => {
    running = await RunningScaler.start();
    await open();
  });
  afterEach(async () => {
    await page.context().close();
    await running.close();
  });

  async function open(options = {}) {
    await page?.context().close();
    ({ page, troubles } = await openPage(browser, options));
  }

  /** Waits until an element's text matches. */
  const shows = (id, pattern) =>
    page.waitForFunction(
      ([name, source]) => new RegExp(source).test(document.getElementById(name)?.textContent ?? ""),
      [id, pattern.source],
    );
  const textOf = id => page.locator(`#${id}`).textContent();
  /** In one step: charts are drawn anew all the time. */
  const boxOf = selector =>
    page.evaluate(one => {
      const { x, y, width, height } = [...document.querySelectorAll(one)].at(-1).getBoundingClientRect();
      return { x, y, width, height };
    }, selector);
  /** Waits until the page has all that the scaler has: its clock stands, so that nothing moves from then on. */
  const caughtUp = () =>
    page.waitForFunction(nowMs => {
      const time = new Date(nowMs).toLocaleTimeString([], { hourCycle: "h23", timeStyle: "medium" });
      return document.getElementById("freshness").textContent === `as of ${time}`;
    }, running.clock.nowMs());
  /** In how many columns of a chart's canvas there is a colour of the page, in pixels of the page. */
  const painted = (id, property) =>
    page.evaluate(
      ([host, name]) => {
        const canvas = document.querySelector(`#${host} canvas`);
        const wanted = new OffscreenCanvas(1, 1).getContext("2d");
        wanted.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
        wanted.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = wanted.getImageData(0, 0, 1, 1).data;
        const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const columns = new Set();
        for (let at = 0; at < data.length; at += 4) {
          const isOne = [red, green, blue].every((part, i) => Math.abs(part - data[at + i]) < 12);
          // Less of it where a line fills a part of a pixel.
          if (isOne && data[at + 3] > alpha / 3) columns.add((at / 4) % width);
        }
        return columns.size / devicePixelRatio;
      },
      [id, property],
    );
  /** Whether more than ten seconds of load are drawn: a minute is as wide as the plot. */
  const isLong = async () => (await painted("load", "--one")) > ((await boxOf("#load .u-over")).width * 10) / 60;
  /** Lets seconds of the scaler pass, with a switcher that serves as it is told. */
  const run = async (seconds, switcher) => {
    for (let second = 0; second < seconds; second++)
      await running.runUntil(
        () => true,
        () => switcher?.report({ queuedRows: 3, queueAgeMs: 20 }),
      );
  };

  it("paints what the scaler does and why", async () => {
    const switcher = running.switcher();
    running.gateway.lastMinute = { ended: 200, inTime: 190, latencyMs: { p50: 80, p99: 412 } };
    await running.planFor(50);
    await run(20, switcher);
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps\. The plan serves .*detect: heavy.*Why: .*Held back by/);
    await shows("why", /What a little more or less would cost/);
    assert.match(await textOf("tiles"), /50 rps[\s\S]*412 ms[\s\S]*5\.0 % late or failed/);
    assert.match(await textOf("diagram"), /detect[\s\S]*3 rows, 20 ms[\s\S]*read/);
    for (const id of ["load", "timeline", "accuracy", "cores", "latency", "pareto"]) {
      const box = await boxOf(`#${id} > :first-child`);
      assert.ok(box.width > 200 && box.height > 60, `${id}: ${JSON.stringify(box)}`);
    }
    // More than one second is drawn: what was before the page was opened.
    assert.ok(await isLong());
    assert.deepEqual(troubles, []);
  });

  it("follows a change of the plan, and explains the decision that is clicked", async () => {
    await running.planFor(50);
    await run(15);
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps/);
    const first = running.board.decisionId;
    await shows("why", new RegExp(first));
    const before = await painted("load", "--one");
    running.gateway.rateRps = 400;
    await run(15);
    await shows("headline", /^Load 400 rps/);
    const newest = running.board.decisionId;
    assert.notEqual(newest, first);
    await caughtUp();
    await shows("why", new RegExp(newest));
    // A quarter of a minute was added.
    assert.ok((await painted("load", "--one")) > before + (await boxOf("#load .u-over")).width / 6);
    const timeline = await boxOf("#timeline > svg");
    const oldest = await boxOf("#timeline .decision");
    await page.mouse.click(oldest.x + 1, timeline.y + 20);
    await page.waitForFunction(id => !document.getElementById("why").textContent.includes(id), newest);
    assert.equal(await page.locator("#timeline .decision.picked").count(), 1);
    await page.getByRole("button", { name: "newest, as they come" }).focus();
    await page.keyboard.press("Enter");
    await shows("why", new RegExp(newest));
    assert.deepEqual(troubles, []);
  });

  it("draws what was forecast and what holds, in the colours of light and dark", async () => {
    await running.planFor(50);
    await run(15);
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps/);
    await shows("cores", /with the heaviest variants/);
    await caughtUp();
    const seen = async () => [
      await painted("load", "--one"),
      await painted("load", "--band"),
      await painted("latency", "--three"),
      // The SLO: dots from edge to edge, also where points are of less than a minute.
      await painted("latency", "--bad"),
    ];
    const { width } = await boxOf("#latency .u-over");
    // Nothing comes in any more that would be drawn.
    await running.scaler.close();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      // Changes of the setting are told before a frame is made.
      await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
      const [load, band, latency, slo] = await seen();
      assert.ok(load > 50 && band > 50 && latency > 20 && slo > width / 5, `${colorScheme}: ${await seen()}`);
    }
  });

  it("says in words what its charts draw, now and at the time that is pointed at", async () => {
    await running.planFor(50);
    await run(5);
    running.gateway.rateRps = 400;
    await run(15);
    await page.goto(running.url("/"));
    await shows("load", /load 400/);
    await caughtUp();
    // Its explanation moves the charts down when it comes, away from the pointer.
    await shows("why", new RegExp(running.board.decisionId));
    const labelOf = id => page.locator(`#${id} > [role=img]`).getAttribute("aria-label");
    assert.match(await labelOf("load"), /^requests per second\. load: 400, .*planned for: \d/);
    assert.match(await labelOf("latency"), /SLO: 500/);
    const { x, y, width, height } = await boxOf("#accuracy .u-over");
    // Eighteen seconds before the newest, of sixty.
    const left = x + width * (1 - 18 / 60);
    await page.mouse.move(left, y + height / 2);
    await shows("load", /load 50/);
    assert.match(await labelOf("load"), /load: 50,/);
    for (const id of ["load", "accuracy", "cores", "latency"]) {
      const cursor = await boxOf(`#${id} .u-cursor-x`);
      const over = await boxOf(`#${id} .u-over`);
      const share = (cursor.x + cursor.width - over.x) / over.width;
      assert.ok(Math.abs(share - (1 - 18 / 60)) < 0.03, `${id}: ${share}`);
    }
    assert.equal(await page.locator("#timeline .pointer").count(), 1);
    await page.mouse.move(0, 0);
    await shows("load", /load 400/);
    assert.equal(await page.locator("#timeline .pointer").count(), 0);
    assert.deepEqual(troubles, []);
  });

  it("goes through its times by keyboard, and explains the decision of then", async () => {
    await running.planFor(50);
    await run(5);
    running.gateway.rateRps = 400;
    await run(15);
    const { history } = await (await fetch(running.url("/api/v1/pipelines/shop/cards/live"))).json();
    const [then, newest] = [history.decisionId.at(-1 - 18), history.decisionId.at(-1)];
    assert.notEqual(then, newest);
    await page.goto(running.url("/"));
    await shows("load", /load 400/);
    await shows("why", new RegExp(newest));
    await caughtUp();
    const slider = page.getByRole("slider", { name: "values of" });
    assert.equal(await slider.getAttribute("aria-valuetext"), "now");
    await slider.focus();
    for (let second = 0; second < 18; second++) await page.keyboard.press("ArrowLeft");
    await shows("load", /load 50/);
    assert.match(await slider.getAttribute("aria-valuetext"), /^\d\d:\d\d:\d\d$/);
    await page.keyboard.press("Enter");
    await shows("why", new RegExp(then));
    // It stays at its time while seconds come in.
    await run(3);
    await caughtUp();
    assert.match(await textOf("load"), /load 50/);
    await page.keyboard.press("End");
    await shows("load", /load 400/);
    assert.equal(await slider.getAttribute("aria-valuetext"), "now");
    assert.deepEqual(troubles, []);
  });

  it("keeps the focus while it follows", async () => {
    await running.planFor(50);
    await page.goto(running.url("/"));
    await shows("why", /Made with/);
    await page.getByRole("button", { name: "newest, as they come" }).focus();
    running.gateway.rateRps = 400;
    await run(12);
    await shows("headline", /^Load 400 rps/);
    await shows("why", new RegExp(running.board.decisionId));
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "newest, as they come");
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`has nothing that axe-core finds wrong, ${colorScheme}`, async () => {
      await open({ colorScheme });
      const switcher = running.switcher();
      await running.planFor(50);
      await run(12, switcher);
      const pin = { stage: "read", variant: "light", ttlMs: 60_000, reason: "test" };
      const api = running.url("/api/v1/pipelines/shop/cards");
      await fetch(`${api}/pin`, { method: "PUT", body: JSON.stringify(pin) });
      await fetch(`${api}/mode`, { method: "PUT", body: JSON.stringify({ mode: "shadow" }) });
      await run(3, switcher);
      await page.goto(running.url("/"));
      await shows("banners", /Shadow mode, set by an operator.*read is pinned to variant light/);
      await shows("why", /Made with/);
      await keepScreenshot(page, `live-page-${colorScheme}`);
      assert.deepEqual(await axeViolations(page), []);
    });
  }

  it("is not wider than 320 pixels, with nothing that axe-core finds wrong", async () => {
    await open({ viewport: { width: 320, height: 640 } });
    const switcher = running.switcher();
    await running.planFor(50);
    await run(12, switcher);
    await page.goto(running.url("/"));
    await shows("why", /Made with/);
    await page.locator("summary", { hasText: "Change something" }).click();
    await keepScreenshot(page, "live-page-narrow");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
    assert.deepEqual(await axeViolations(page), []);
  });

  it("says that there is nothing yet: no plan, no pipeline", async () => {
    await page.goto(running.url("/"));
    await shows("headline", /There is no plan yet/);
    await shows("freshness", /^as of /);
    await shows("why", /^Nothing was decided yet/);
    await keepScreenshot(page, "live-page-no-plan");
    assert.deepEqual(await axeViolations(page), []);
    assert.deepEqual(troubles, []);
    await running.close();
    running = await RunningScaler.start({ pipelines: [] });
    await page.goto(running.url("/"));
    await shows("freshness", /the scaler has no pipeline/);
    await shows("headline", /^There is no pipeline yet/);
    assert.equal(await page.locator("section:visible").count(), 1);
    await keepScreenshot(page, "live-page-no-pipeline");
    assert.deepEqual(await axeViolations(page), []);
  });

  it("shows hostile names as text", async () => {
    await running.close();
    const pipeline = testPipeline();
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(variant => ({ ...variant, name: `${variant.name}${HOSTILE}` })),
      defaultVariant: `${stage.defaultVariant}${HOSTILE}`,
    }));
    const key = { namespace: "shop", name: HOSTILE };
    running = await RunningScaler.start({ pipelines: [{ ...pipeline, key, stages }] });
    await running.planFor(50);
    await page.goto(running.url("/"));
    await shows("headline", /heavy"><img/);
    await shows("why", /heavy"><img/);
    assert.equal(await page.evaluate(() => globalThis.hacked), undefined);
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.title(), `${HOSTILE} – variscale`);
  });

  it("works below a path of a proxy", async () => {
    await running.planFor(50);
    const proxy = createServer((request, response) => {
      if (!request.url.startsWith("/tools/variscale/")) return response.writeHead(404).end();
      const path = request.url.slice("/tools/variscale".length);
      const { method, headers } = request;
      const passed = httpRequest(running.url(path), { method, headers }, answer => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      request.pipe(passed);
    });
    await new Promise(resolve => proxy.listen(0, "127.0.0.1", resolve));
    try {
      await page.goto(`http://127.0.0.1:${proxy.address().port}/tools/variscale/`);
      await shows("headline", /^Load 50 rps/);
      await shows("why", /Made with/);
      assert.deepEqual(troubles, []);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("shows one of several pipelines, by name in its address", async () => {
    await running.close();
    const pipelines = ["cards", "plates"].map(name => testPipeline({ name }));
    running = await RunningScaler.start({ pipelines });
    await running.planFor(50);
    await page.goto(running.url("/#shop/plates"));
    await page.waitForFunction(() => document.title === "plates – variscale");
    await shows("headline", /The plan serves/);
    await page.locator("#pipelines").selectOption({ label: "shop/cards" });
    await page.waitForFunction(() => document.title === "cards – variscale");
    await shows("headline", /The plan serves/);
    assert.equal(new URL(page.url()).hash, "#shop/cards");
  });

  it("goes on with its pipeline, and names it, when others come and go, and with another when it is gone itself", async () => {
    await running.close();
    const [cards, plates, scans] = ["cards", "plates", "scans"].map(name => testPipeline({ name }));
    running = await RunningScaler.start({ pipelines: [cards, plates] });
    await running.planFor(50);
    const chosen = () => page.evaluate(() => [document.title, document.getElementById("pipelines").value]);
    /** The page looks for new pipelines every half minute. */
    const listed = async count => {
      await page.clock.fastForward(31_000);
      await page.waitForFunction(wanted => document.querySelectorAll("#pipelines option").length === wanted, count);
    };
    await page.clock.install();
    await page.goto(running.url("/#shop/plates"));
    await shows("headline", /The plan serves/);
    await running.scaler.pipelines.put(scans);
    await listed(3);
    assert.deepEqual(await chosen(), ["plates – variscale", "#shop/plates"]);
    await running.scaler.pipelines.remove(plates.key);
    await listed(2);
    assert.deepEqual(await chosen(), ["cards – variscale", "#shop/cards"]);
    // It is the last one from now on; its address names the one that is gone.
    await running.scaler.pipelines.remove(cards.key);
    await listed(1);
    await running.scaler.pipelines.put(cards);
    await running.scaler.pipelines.remove(scans.key);
    await running.scaler.pipelines.put(scans);
    await listed(2);
    assert.deepEqual(await chosen(), ["scans – variscale", "#shop/scans"]);
  });

  it("starts anew when the scaler's clock was set back", async () => {
    await running.planFor(50);
    await run(12);
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps/);
    await shows("load", /load 50/);
    running.clock.set(running.clock.nowMs() - 3_600_000);
    await run(12);
    // The gateway's clock went back with it, so that its seconds are not taken again: the newest point has no load.
    await shows("load", /load –/);
    assert.deepEqual(troubles, []);
  });

  it("says that what it shows is old when the scaler is gone", async () => {
    await running.planFor(50);
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps/);
    await running.scaler.close();
    await shows("freshness", /^no answer since /);
    assert.equal(await page.locator("#freshness").getAttribute("role"), "alert");
    assert.match(await textOf("headline"), /^Load 50 rps/);
  });

  it("goes on by itself when the scaler is there again", async () => {
    await running.planFor(50);
    await page.goto(running.url("/"));
    await shows("headline", /^Load 50 rps/);
    const port = running.scaler.ports.http;
    await running.close();
    await shows("freshness", /^no answer since /);
    running = await RunningScaler.start({ ports: { keda: 0, switchers: 0, http: port } });
    await running.planFor(80);
    await shows("headline", /^Load 80 rps/);
    await shows("freshness", /^as of /);
    assert.equal(await page.locator("#freshness").getAttribute("role"), null);
  });
});
