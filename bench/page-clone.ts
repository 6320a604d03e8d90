import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../runtime/version.ts";
import { chromiumAt, openBrowser } from "./chromium.ts";
import { type Figure, figure } from "./figure.ts";

const NAME = "clone.toPageSeconds";
const PAINTED_WITHIN_MS = 120_000;

/**
 * From `git clone` of what is committed to a live page that says what the pipeline does: install, build, `up`, Chromium. One installation before
 * it fills npm's cache.
 */
export async function cloneFigure(): Promise<Figure> {
  const found = chromiumAt();
  if ("reason" in found) return figure(NAME, null, { note: found.reason });
  if (!existsSync(join(packageFolder, ".git")))
    return figure(NAME, null, { note: "this is no clone of the repository" });
  const folder = mkdtempSync(join(tmpdir(), "variscale-clone-"));
  const browser = await openBrowser(found.path);
  let up: ChildProcess | null = null;
  const seconds: Record<string, number> = {};
  const timed = async (what: string, work: () => unknown): Promise<void> => {
    const startMs = performance.now();
    await work();
    seconds[what] = round((performance.now() - startMs) / 1000);
  };
  try {
    run("git", ["clone", "-q", packageFolder, join(folder, "warm")], folder);
    run("npm", ["ci", "--no-audit", "--no-fund"], join(folder, "warm"));
    rmSync(join(folder, "warm"), { recursive: true });
    const clone = join(folder, "clone");
    await timed("clone", () => run("git", ["clone", "-q", packageFolder, clone], folder));
    await timed("install", () => run("npm", ["ci", "--no-audit", "--no-fund"], clone));
    await timed("build", () => run("npm", ["run", "build"], clone));
    await timed("page", async () => {
      const ports = await freePorts(4);
      up = startUp(clone, folder, ports);
      const page = await browser.newPage();
      const deadlineMs = performance.now() + PAINTED_WITHIN_MS;
      for (;;) {
        const opened = await page.goto(`http://127.0.0.1:${ports[1]}/`).then(Boolean, () => false);
        if (opened) break;
        if (performance.now() > deadlineMs) throw new Error("no page came");
        await new Promise(resolve => setTimeout(resolve, 200));
      }
      await page.locator("#headline", { hasText: "The plan serves" }).waitFor({ timeout: PAINTED_WITHIN_MS });
    });
    const sum = Object.values(seconds).reduce((total, one) => total + one, 0);
    return figure(NAME, round(sum), {
      against: seconds,
      note: "pipelines/id-card; npm's cache is warm, models are not",
    });
  } finally {
    await browser.close();
    await end(up);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function startUp(clone: string, folder: string, [gateway, http, keda, switchers]: readonly number[]): ChildProcess {
  const ports = ["--port", gateway, "--http-port", http, "--keda-port", keda, "--switcher-port", switchers].map(String);
  return spawn(process.execPath, ["dist/cli/main.js", "up", "pipelines/id-card", "--log-level", "silent", ...ports], {
    cwd: clone,
    stdio: "ignore",
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache"), XDG_STATE_HOME: join(folder, "state") },
  });
}

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr.slice(-500)}`);
}

/** They are free now; whoever is faster may still take one. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map(server => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return ports;
}

async function end(child: ChildProcess | null): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
