import { isIP } from "node:net";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
const LOOPBACK_ADDRESSES = /^(::ffff:)?127\.|^::1$/;

/** Whether a Host header names this machine, as no web page's does that points a name of its own at 127.0.0.1 (DNS rebinding). */
export function namesThisMachine(host: string | undefined): boolean {
  return LOOPBACK_NAMES.includes(toHostName(host));
}

/** Whether a Host header can't be that of a foreign web page: it names this machine, is an address, or is one of the names that are allowed. */
export function namesNoForeignSite(host: string | undefined, allowed: readonly string[] = []): boolean {
  const name = toHostName(host);
  return LOOPBACK_NAMES.includes(name) || allowed.includes(name) || isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;
}

export function isLoopbackAddress(address: string): boolean {
  return LOOPBACK_ADDRESSES.test(address);
}

function toHostName(host = ""): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}
