import { hostname } from "node:os";
import type { Command } from "commander";
import type { LogLevel } from "../../runtime/logger.ts";
import { logLevelOption, parsePort } from "../options.ts";
import { type AccessFlags, addUrl, LEAST_TOKEN_CHARACTERS, ownName, tokenOf } from "../scaler/access-options.ts";

interface McpFlags extends AccessFlags {
  readonly http?: number;
  readonly httpTokenFile?: string;
  readonly allowChanges: boolean;
  readonly context?: string;
  readonly logLevel: LogLevel;
}

const HTTP_TOKEN = {
  option: "--http-token-file",
  variable: "VARISCALE_MCP_TOKEN",
  leastCharacters: LEAST_TOKEN_CHARACTERS,
};

const HELP = `
Examples:
  variscale mcp --url http://127.0.0.1:8080
  variscale mcp shop.yaml --allow-changes --token-file token
  variscale mcp --http 8765 --http-token-file mcp-token

For an agent that starts its servers by itself:
  { "mcpServers": { "variscale": { "command": "variscale", "args": ["mcp", "--url", "http://127.0.0.1:8080"] } } }

Tools: list_pipelines, explain_decision and forecast ask the running scaler; plan and simulate answer what-if questions from the pipeline
files that are named here, and read no other; doctor is there with --context. They change nothing. set_mode, pin and unpin are there
with --allow-changes alone; each change needs a reason and is in the scaler's audit log.

With --http it is Streamable HTTP at http://127.0.0.1:PORT/mcp, for clients on this machine that show the token; web pages are refused.

Environment:
  VARISCALE_TOKEN      the scaler's token, where there is no --token-file
  VARISCALE_MCP_TOKEN  the token of --http, where there is no --http-token-file`;

export function addMcp(program: Command): void {
  const mcp = program
    .command("mcp [pipelines...]")
    .description(
      "serve agents by the Model Context Protocol: what the scaler does and why, plans and simulations; pipeline files, or names of those that come with the package (default: all of them)",
    );
  addUrl(mcp)
    .option("--token-file <file>", "with the scaler's token, where it has one")
    .option("--allow-changes", "also offer set_mode, pin and unpin", false)
    .option("--context <name>", "of the kubeconfig: also offer doctor, for that cluster")
    .option(
      "--http <port>",
      "Streamable HTTP on this port of the loopback interface (default: standard input and output)",
      parsePort,
    )
    .option("--http-token-file <file>", "with the token that clients of --http must show")
    .addOption(logLevelOption("info"))
    .addHelpText("after", HELP)
    .action(runMcp);
}

async function runMcp(paths: readonly string[], flags: McpFlags): Promise<void> {
  const { VariscaleError } = await import("../../domain/errors.ts");
  const { createLogger } = await import("../../runtime/logger.ts");
  const { openTools } = await import("../mcp/open-tools.ts");
  const logger = createLogger("mcp", flags.logLevel);
  const { url, http, allowChanges, context = null } = flags;
  const access = { url, token: allowChanges ? tokenOf(flags.tokenFile, process.env) : null };
  const tools = openTools({ paths, access, allowChanges, owner: ownName(hostname()), context, env: process.env });
  if (http === undefined) {
    const { serveStdio } = await import("../mcp/stdio.ts");
    await serveStdio(tools, logger);
    return;
  }
  const { startMcpHttp } = await import("../mcp/http.ts");
  const { shutdownOnSignal } = await import("../../runtime/shutdown.ts");
  const token = tokenOf(flags.httpTokenFile, process.env, HTTP_TOKEN);
  if (token === null)
    throw new VariscaleError(
      "invalid_argument",
      "--http needs a token that clients show: write a random one into a file and name it with --http-token-file, or set VARISCALE_MCP_TOKEN",
    );
  const server = await startMcpHttp({ port: http, token, tools, logger });
  shutdownOnSignal([{ name: "http", timeoutMs: 5000, run: () => server.close(1000) }], logger);
  logger.info({ url: `http://127.0.0.1:${server.port}/mcp`, tools: tools.map(({ name }) => name) }, "ready");
}
