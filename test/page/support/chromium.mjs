import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export function openChromium() {
  // As root, in a container, there is no sandbox to be had.
  const args = ["--no-sandbox", "--disable-dev-shm-usage"];
  return chromium.launch({ executablePath: process.env.VARISCALE_TEST_CHROMIUM, args });
}

/** A page of its own, whose errors are kept: also what its Content-Security-Policy stopped. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on("pageerror", error => troubles.push(String(error)));
  page.on("console", message => message.type() === "error" && troubles.push(message.text()));
  page.on("request", request => {
    if (!/^http:\/\/127\.0\.0\.1:/.test(request.url())) troubles.push(`asked ${request.url()}`);
  });
  return { page, troubles };
}

/** The whole page as a picture in the folder VARISCALE_TEST_SCREENSHOTS; where that is not set there is none. */
export async function keepScreenshot(page, name) {
  const folder = process.env.VARISCALE_TEST_SCREENSHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/** What axe-core finds wrong, a line each. */
export async function axeViolations(page) {
  // Not as an element of the page: its policy would stop that.
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
