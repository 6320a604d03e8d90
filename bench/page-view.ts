import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { chromiumAt, openBrowser } from "./chromium.ts";
import { type Figure, figure } from "./figure.ts";

const NAMES = ["page.kilobytes", "page.firstPaintMs", "page.axeViolations", "page.frameP95Ms"];
const OPENINGS = 7;
const POINTS = 10_000;
/** Points between two polls of the page: sixty times as many as in life. */
const POINTS_A_SECOND = 60;

// What runs in the browser is text here: its world is not this one's.
const FIRST_PAINT = 'performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN';
const AXE = "axe.run().then(found => found.violations.map(({ id, nodes }) => id + ' × ' + nodes.length))";
const KEEP_FRAMES =
  "globalThis.frameTimes = []; (function next(atMs) { if (atMs) frameTimes.push(atMs); requestAnimationFrame(next); })()";

/** The live page in Chromium before a scaler on loopback: what it weighs, when it paints, what axe-core finds, how steadily it draws. */
export async function pageFigures(): Promise<readonly Figure[]> {
  const found = chromiumAt();
  if ("reason" in found) return NAMES.map(name => figure(name, null, { note: found.reason }));
  const isShort = process.argv.includes("--short");
  const scaler = fork(fileURLToPath(new URL("./page-scaler.js", import.meta.url)));
  const browser = await openBrowser(found.path);
  try {
    const { url } = await answerOf<{ readonly url: string }>(scaler);
    return [
      await weight(browser, url),
      await firstPaint(browser, url, isShort),
      await violations(browser, url),
      await frames(browser, url, scaler, isShort),
    ];
  } finally {
    await browser.close();
    scaler.disconnect();
  }
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the page's scaler ended with ${code}`));
    child.once("exit", onExit);
    child.once("message", message => {
      child.off("exit", onExit);
      resolve(message as T);
    });
  });
}

async function opened(browser: Browser, colorScheme: "light" | "dark" = "light"): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme });
  return await context.newPage();
}

/** Until it says what the scaler does. */
async function shown(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("#headline", { hasText: /Load \d/ }).waitFor();
}

/** All bytes that come over the wire until it says what the scaler does, headers and the first points included. */
async function weight(browser: Browser, url: string): Promise<Figure> {
  const page = await opened(browser);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let [bytes, requests] = [0, 0];
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    requests++;
  });
  await shown(page, url);
  await page.context().close();
  return figure("page.kilobytes", round(bytes / 1000), { against: { requests }, note: "uncompressed, nothing cached" });
}

async function firstPaint(browser: Browser, url: string, isShort: boolean): Promise<Figure> {
  const openings = isShort ? 2 : OPENINGS;
  const painted: number[] = [];
  const told: number[] = [];
  for (let i = 0; i < openings; i++) {
    const page = await opened(browser);
    await shown(page, url);
    told.push(await page.evaluate<number>("performance.now()"));
    painted.push(await page.evaluate<number>(FIRST_PAINT));
    await page.context().close();
  }
  return figure("page.firstPaintMs", round(median(painted)), {
    against: { worstMs: round(Math.max(...painted)), untilItTellsMs: round(median(told)) },
    isWhole: !isShort,
    note: `median first contentful paint of ${openings} openings on loopback, nothing cached`,
  });
}

async function violations(browser: Browser, url: string): Promise<Figure> {
  const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  const ids: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await opened(browser, colorScheme);
    await page.addInitScript({ path: axe });
    await shown(page, url);
    const found = await page.evaluate<readonly string[]>(AXE);
    ids.push(...found);
    await page.context().close();
  }
  return figure("page.axeViolations", ids.length, {
    note: ids.length > 0 ? ids.join(", ") : "light and dark, all rules",
  });
}

/** Times between frames while ten thousand points come in: the page asks once a second, each answer has sixty seconds of points. */
async function frames(browser: Browser, url: string, scaler: ChildProcess, isShort: boolean): Promise<Figure> {
  const page = await opened(browser);
  await shown(page, url);
  await page.evaluate(KEEP_FRAMES);
  const wanted = isShort ? POINTS / 20 : POINTS;
  const startMs = performance.now();
  for (let sent = 0; sent < wanted; sent += POINTS_A_SECOND) {
    scaler.send({ seconds: POINTS_A_SECOND });
    await answerOf(scaler);
    const dueMs = startMs + (sent / POINTS_A_SECOND + 1) * 1000;
    await new Promise(resolve => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
  }
  const times = await page.evaluate<readonly number[]>("frameTimes");
  await page.context().close();
  const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
  gaps.sort((a, b) => a - b);
  const at = (share: number): number => round(gaps[Math.min(gaps.length - 1, Math.floor(share * gaps.length))] ?? 0);
  return figure("page.frameP95Ms", at(0.95), {
    against: { p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1), frames: gaps.length, points: wanted },
    isWhole: !isShort,
    note: `software rendering, ${POINTS_A_SECOND} points a second`,
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
