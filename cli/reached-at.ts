import { isIPv6 } from "node:net";

/** How what listens on a host is reached from this machine: `host:port`. */
export function reachedAt(host: string, port: number): string {
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `${isIPv6(name) ? `[${name}]` : name}:${port}`;
}
