import { BlockList, isIP } from "node:net";
import { VariscaleError } from "../domain/errors.ts";
import { withoutCredentials } from "./http-address.ts";

/**
 * The proxy that the environment names for a URL, as kubectl takes it: HTTPS_PROXY for https and HTTP_PROXY for http, none for what
 * NO_PROXY lists and for this machine. Null: there is none.
 *
 * Throws invalid_argument where the variable holds no address of an HTTP proxy.
 */
export function findProxy(url: URL, env: NodeJS.ProcessEnv): string | null {
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const proxyUrl = env[name] || env[name.toLowerCase()];
  if (!proxyUrl || isOfThisMachine(readHost(url))) return null;
  const except = (env["NO_PROXY"] || env["no_proxy"] || "").split(",").map(rule => rule.trim().toLowerCase());
  if (except.some(rule => rule !== "" && isMeant(rule, url))) return null;
  return checkProxyUrl(proxyUrl.includes("://") ? proxyUrl : `http://${proxyUrl}`, name);
}

/** Throws invalid_argument where `url` is no address of an HTTP proxy; the message has no password in it. */
export function checkProxyUrl(url: string, where: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new VariscaleError(
    "invalid_argument",
    `${where} is \`${withoutCredentials(url)}\`, which is no address of an HTTP proxy: write http://host:port; SOCKS is not supported`,
  );
}

function readHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function isOfThisMachine(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Whether a rule of NO_PROXY means a URL: `*`, an address or a range of them, or a name with all below it; with or without a port. */
function isMeant(rule: string, url: URL): boolean {
  if (rule === "*") return true;
  const host = readHost(url);
  const [address = "", prefix] = rule.split("/");
  if (prefix !== undefined) return isWithin(host, address, Number(prefix));
  const [, name = rule, port] = /^(.*[^:]|\[.*\]):(\d+)$/.exec(rule) ?? [];
  if (port !== undefined && isIP(rule) !== 6 && port !== (url.port || (url.protocol === "https:" ? "443" : "80")))
    return false;
  const wanted = (isIP(rule) === 6 ? rule : name).replace(/^\[|\]$/g, "").replace(/^\*(?=\.)/, "");
  if (wanted.startsWith(".")) return host.endsWith(wanted);
  return host === wanted || (isIP(host) === 0 && host.endsWith(`.${wanted}`));
}

function isWithin(host: string, address: string, prefix: number): boolean {
  const family = (text: string) => (isIP(text) === 6 ? "ipv6" : "ipv4");
  const most = isIP(address) === 6 ? 128 : 32;
  if (isIP(address) === 0 || isIP(host) === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > most) return false;
  const range = new BlockList();
  range.addSubnet(address, prefix, family(address));
  return range.check(host, family(host));
}
