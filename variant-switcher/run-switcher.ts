import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { VariscaleError } from "../domain/errors.ts";
import { createLogger } from "../runtime/logger.ts";
import { tellParent } from "../runtime/parent-process.ts";
import { shutdownOnSignal } from "../runtime/shutdown.ts";
import { openTracer } from "../runtime/tracing/open-tracer.ts";
import type { SwitcherConfig } from "./config.ts";
import { type SwitcherOptions, type SwitcherPorts, startSwitcher } from "./main.ts";
import { claimsOfParent } from "./parent-claims.ts";
import { parseSwitcherConfig } from "./parse-config.ts";
import { keepClaimsWith } from "./remote-model.ts";
import { hasBusyThreads } from "./session-thread.ts";

const GRACE_MS = 25_000;

/**
 * Flags that stand above the file: a ConfigMap is the same for all pods, these are not. Each is named as the field of the file in whose place it
 * stands, and has what it takes and what is so where it is not given.
 */
const FLAGS = {
  config: ["<file>", "JSON: stage, variants, contract, shape; written by variscale manifests (required)"],
  pod: ["<name>", "unique among the stage's replicas"],
  "scaler-address": ["<host:port>", "of the scaler's gRPC for switchers"],
  "tls-folder": ["<folder>", "tls.crt, tls.key and ca.crt: mutual TLS towards the scaler"],
  "scaler-token-file": ["<file>", "with the token by which the scaler knows this switcher"],
  "admin-tls-folder": ["<folder>", "the same three files: mutual TLS of the admin endpoint"],
  "advertise-address": ["<host:port>", "under which gateways reach it (default: where it listens)"],
  "model-folder": ["<folder>", "model files"],
  "state-file": ["<file>", "keeps the last Assignment over restarts"],
  host: ["<host>", "where inference and metrics listen"],
  "http-port": ["<port>", "inference over HTTP; 0 is one that is free, as of all ports"],
  "grpc-port": ["<port>", "inference over gRPC"],
  "admin-port": ["<port>", "admin endpoint"],
  "metrics-port": ["<port>", "metrics and probes"],
  "log-level": ["<level>", "of the log on standard error"],
} as const;

export const SWITCHER_USAGE = `Usage: variscale switcher --config <file> [options]

the model server of one stage's pod: serves the variant that the scaler assigns, and switches it while it serves

Options, all but --config instead of the same field of the file:
${Object.entries(FLAGS)
  .map(([name, [value, text]]) => `  ${`--${name} ${value}`.padEnd(31)}  ${text}`)
  .join("\n")}

Examples:
  variscale switcher --config /etc/variscale/switcher.json --model-folder /models --pod "$POD_NAME"
  variscale switcher --config switcher.json --scaler-address 127.0.0.1:6001 --http-port 0 --grpc-port 0

Exit codes: 0 done, by SIGTERM or Ctrl-C; 1 something failed; 2 what it was given can't be used.`;

const SEE_HELP = "variscale switcher --help shows what it takes";

/** What is sent to a parent process once the servers listen. */
export interface ListeningMessage {
  readonly kind: "listening";
  readonly ports: SwitcherPorts;
}

/**
 * The process `variscale switcher`: reads its configuration, serves until SIGTERM, then drains and ends. A parent with an IPC
 * channel is told the ports; when the channel closes, the process ends as well.
 */
export async function runSwitcher(
  args: readonly string[],
  more: Pick<SwitcherOptions, "workerUrl"> = {},
): Promise<void> {
  const config = readConfig(args);
  const logger = createLogger("variant-switcher", config.logLevel).child({ stage: config.stage, pod: config.pod });
  if (config.modelClaims === "parent") keepClaimsWith(claimsOfParent());
  const traced = {
    service: "variscale-switcher",
    instance: config.pod,
    attributes: { "variscale.stage": config.stage },
  };
  const tracer = await openTracer(process.env, traced);
  const switcher = await startSwitcher({ config, logger, tracer, ...more });
  // A thread in native code would keep the process from ending.
  process.on("exit", () => {
    if (hasBusyThreads()) process.kill(process.pid, "SIGKILL");
  });
  const steps = [{ name: "drain", timeoutMs: GRACE_MS + 5000, run: () => switcher.close(GRACE_MS) }];
  const shutdown = shutdownOnSignal(steps, logger);
  const message: ListeningMessage = { kind: "listening", ports: switcher.ports };
  tellParent(message, () => shutdown("the parent process is gone"));
  logger.info({ ports: switcher.ports }, "listening");
}

function readConfig(args: readonly string[]): SwitcherConfig {
  const { config, ...given } = parseFlags(args);
  if (config === undefined) throw new VariscaleError("invalid_argument", `--config is missing; ${SEE_HELP}`);
  const { ports, ...file } = readObject(config);
  const above: Record<string, unknown> = {};
  const abovePorts: Record<string, number> = {};
  for (const [flag, value] of Object.entries(given)) {
    if (flag.endsWith("-port")) abovePorts[flag.replace("-port", "")] = Number(value);
    else above[flag.replace(/-./g, part => part.slice(1).toUpperCase())] = value;
  }
  return parseSwitcherConfig({ ...file, ...above, ports: { ...(ports as object | undefined), ...abovePorts } });
}

/** Reads the flags that are given, by their names. */
function parseFlags(args: readonly string[]): Readonly<Record<string, string | undefined>> {
  try {
    const options = Object.fromEntries(Object.keys(FLAGS).map(name => [name, { type: "string" as const }]));
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new VariscaleError("invalid_argument", `${VariscaleError.from(error).message}; ${SEE_HELP}`);
  }
}

function readObject(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    const { message } = VariscaleError.from(error);
    throw new VariscaleError("invalid_argument", `--config ${path} can't be read: ${message}`);
  }
  throw new VariscaleError("invalid_argument", `--config ${path} must have a JSON object`);
}
