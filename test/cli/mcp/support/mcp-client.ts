import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { packageFolder } from "../../../../runtime/version.ts";

const MAIN = join(packageFolder, "dist/cli/main.js");
export const TOKEN = "token-of-the-scaler";
export const HTTP_TOKEN = "token-of-the-server";

/** A client, and what must be ended with it. */
export interface Opened {
  readonly client: Client;
  readonly url: string | null;
  close(): Promise<void>;
}

function environment(): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", VARISCALE_TOKEN: TOKEN, VARISCALE_MCP_TOKEN: HTTP_TOKEN };
}

async function connect(transport: unknown): Promise<Client> {
  const client = new Client({ name: "a-test", version: "1" });
  await client.connect(transport as Transport);
  return client;
}

export async function openStdio(args: readonly string[]): Promise<Opened> {
  const command = { command: process.execPath, args: [MAIN, "mcp", ...args], env: environment() };
  const client = await connect(new StdioClientTransport({ ...command, stderr: "ignore" }));
  return { client, url: null, close: () => client.close() };
}

export async function openHttp(args: readonly string[]): Promise<Opened> {
  const { child, url } = await startHttp(args);
  const requestInit = { headers: { authorization: `Bearer ${HTTP_TOKEN}` } };
  const client = await connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return {
    client,
    url,
    close: async () => {
      await client.close();
      await ended(child);
    },
  };
}

export function startHttp(args: readonly string[]): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [MAIN, "mcp", "--http", "0", ...args], {
    env: environment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk;
      const url = /"url":"([^"]+)"/.exec(log)?.[1];
      if (url !== undefined) resolve({ child, url });
    });
    child.once("exit", () => reject(new Error(log)));
  });
}

export function ended(child: ChildProcess): Promise<unknown> {
  return new Promise(resolve => {
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}

interface Answer {
  readonly isError: boolean;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of a tool
  readonly value: any;
}

export async function call({ client }: Opened, name: string, input: Record<string, unknown> = {}): Promise<Answer> {
  const result = await client.callTool({ name, arguments: input });
  const content = result.content as readonly { readonly text?: string }[];
  const text = content[0]?.text ?? "";
  if (result.isError !== true) assert.deepEqual(JSON.parse(text), result.structuredContent);
  return { isError: result.isError === true, text, value: result.structuredContent };
}
