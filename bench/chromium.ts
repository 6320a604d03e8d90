import { existsSync } from "node:fs";
import type { Browser } from "playwright-core";

const DEBIAN = "/usr/bin/chromium";

/** Where Chromium is: VARISCALE_TEST_CHROMIUM, or Debian's; or why it can't be run. */
export function chromiumAt(): { readonly path: string } | { readonly reason: string } {
  const path = process.env["VARISCALE_TEST_CHROMIUM"] ?? DEBIAN;
  return existsSync(path) ? { path } : { reason: `there is no ${path}: apt-get install chromium` };
}

export async function openBrowser(path: string): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  // As root, in a container, there is no sandbox to be had.
  return await chromium.launch({ executablePath: path, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
