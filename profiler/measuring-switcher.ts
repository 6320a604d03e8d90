import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import { type HttpAnswer, HttpClient } from "../runtime/http-client.ts";
import type { ListeningMessage } from "../variant-switcher/run-switcher.ts";
import type { SwitchRecord } from "../variant-switcher/switching/switch-history.ts";

const READY_MS = 60_000;
const POLL_MS = 20;
const PROBE_MS = 5000;
/** A Switch that loads a model answers when it is done. */
const ANSWER_MS = 600_000;
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;

const httpClient = new HttpClient({ idleMs: 4000 });

/** A switcher that serves nobody, to be switched. */
export interface MeasuringSwitcher {
  /** @returns what the Switch took. @throws failed_precondition where the switcher refuses it. */
  switchTo(variant: string): Promise<SwitchRecord>;
  /** Gives up the session of a variant that is not served. */
  unload(variant: string): Promise<void>;
  /** SIGKILL; its files are removed. */
  close(): void;
}

/** @param config as the file of a switcher has it. Resolves when its default variant is served. */
export async function startMeasuringSwitcher(
  config: Readonly<Record<string, unknown>> & { readonly stage: string },
): Promise<MeasuringSwitcher> {
  const folder = mkdtempSync(join(tmpdir(), "variscale-switches-"));
  const file = join(folder, "switcher.json");
  writeFileSync(file, JSON.stringify({ ...config, ports: { http: 0, grpc: 0, admin: 0, metrics: 0 } }));
  const child = fork(fileURLToPath(new URL("./switcher-process.js", import.meta.url)), ["--config", file], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const close = (): void => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ports = await portsOf(child);
    const at = (port: number, path: string): string => `http://127.0.0.1:${port}${path}`;
    await untilReady(at(ports.metrics, "/readyz"), at(ports.admin, "/admin/v1/switches"));
    const repository = `/v2/repository/models/${encodeURIComponent(config.stage)}`;
    return {
      switchTo: async variant => {
        await send("PUT", at(ports.admin, "/admin/v1/assignment"), { variant, batch: 1 });
        const text = await send("GET", at(ports.admin, "/admin/v1/switches"), null);
        const { switches } = JSON.parse(text) as { readonly switches: readonly SwitchRecord[] };
        const last = switches.findLast(({ to, outcome }) => to === variant && outcome === "done");
        if (last) return last;
        throw new VariscaleError("failed_precondition", `the switcher does not say how it came to ${variant}`);
      },
      unload: async variant => {
        await send("POST", at(ports.http, `${repository}/unload`), { parameters: { variant } });
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function portsOf(child: ChildProcess): Promise<ListeningMessage["ports"]> {
  const gone = once(child, "exit").then(() => {
    throw new VariscaleError("failed_precondition", "the switcher ended while it started; what it wrote says why");
  });
  const [message] = await Promise.race([once(child, "message"), gone]);
  gone.catch(() => undefined);
  return (message as ListeningMessage).ports;
}

/** @throws failed_precondition with the reason that the switcher gives where it can't load its default variant, without waiting any longer. */
async function untilReady(url: string, switchesUrl: string): Promise<void> {
  const untilMs = performance.now() + READY_MS;
  while (performance.now() < untilMs) {
    const answer = await ask("GET", url, null, PROBE_MS).catch(() => null);
    if (answer?.status === 200) return;
    const { switches } = JSON.parse(await send("GET", switchesUrl, null)) as {
      readonly switches: readonly SwitchRecord[];
    };
    const refused = switches.find(({ outcome }) => !["running", "done", "superseded"].includes(outcome));
    if (refused) throw new VariscaleError("failed_precondition", refused.message || refused.outcome);
    await sleep(POLL_MS);
  }
  throw new VariscaleError("failed_precondition", `the switcher was not ready within ${READY_MS / 1000} s`);
}

async function send(method: string, url: string, body: object | null): Promise<string> {
  const answer = await ask(method, url, body, ANSWER_MS);
  const text = answer.body.toString("utf8");
  if (answer.status === 200) return text;
  throw new VariscaleError(
    "failed_precondition",
    readProblem(text) ?? `the switcher answers ${answer.status}: ${text.slice(0, 500)}`,
  );
}

function ask(method: string, url: string, body: object | null, timeoutMs: number): Promise<HttpAnswer> {
  const headers = { "content-type": "application/json", ...(method === "PUT" && { "if-match": "*" }) };
  const sent = body && { body: JSON.stringify(body) };
  const bounds = { timeoutMs, maxBytes: MOST_ANSWER_BYTES };
  return httpClient.request({ method, url: new URL(url), headers, ...sent, ...bounds });
}

/** The sentence of an answer that refuses something; null: there is none. */
function readProblem(text: string): string | null {
  try {
    const { error, message } = JSON.parse(text) as { readonly error?: unknown; readonly message?: unknown };
    const found = message ?? error;
    return typeof found === "string" ? found : null;
  } catch {
    return null;
  }
}
