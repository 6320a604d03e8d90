import type { AgentLimits } from "../../agent/limits.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { parseHttpAddress } from "../../runtime/http-address.ts";
import type { LoadInputFlags } from "../load-input.ts";

export interface LimitFlags {
  readonly weightFactor: number;
  readonly leastQuantile: string;
}

export interface AgentFlags extends LoadInputFlags, LimitFlags {
  readonly url?: string;
  readonly pipeline?: string;
  readonly endpoint: string;
  readonly model: string;
  readonly keyFile?: string;
  readonly tokenFile?: string;
  readonly calls: number;
  readonly tokens: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly every: number;
  readonly ttl: number;
  readonly transcript?: string;
  readonly length: number;
  readonly speedFactor?: number;
  readonly set: readonly string[];
  readonly output: "text" | "json";
}

export function limitsOf({ weightFactor, leastQuantile }: LimitFlags): AgentLimits {
  return { weightFactor, leastQuantile: Number(leastQuantile) };
}

/** @throws VariscaleError invalid_argument for an address that is none, or that would send a key in the open. */
export function checkEndpoint(endpoint: string, key: string | null): void {
  const { protocol, hostname } = parseHttpAddress(endpoint, {
    where: "--endpoint",
    example: "http://127.0.0.1:11434/v1",
    isHttpsAllowed: true,
    credentials: "give a key with --key-file",
  });
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  if (key !== null && protocol === "http:" && !isHere)
    throw new VariscaleError(
      "invalid_argument",
      `--endpoint ${endpoint.slice(0, 200)}: a key goes over https only, or to this machine: write https://, or leave the key out`,
    );
}
