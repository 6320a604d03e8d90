import { Resolver } from "node:dns/promises";
import { type EndpointSource, readEndpoints } from "./endpoint-source.ts";

/** What a name server says of a name that has no address now. */
const NO_ADDRESS = ["ENOTFOUND", "ENODATA"];
const INTERVAL_MS = 1000;
const PREFIX = /^([^=]*)=dns:/;

export interface DnsOptions {
  /** Pause between two questions for a name. Default 1000. */
  readonly intervalMs?: number;
  /** `address:port` of name servers. Default: those of this machine. */
  readonly servers?: readonly string[];
  /** A name can't be asked for; told once until it works again. */
  readonly onProblem: (problem: string) => void;
}

/** Whether the flag names its replicas by a name: `stage=dns:host:port`. */
export function isNamedEndpoint(flag: string): boolean {
  return PREFIX.test(flag);
}

/**
 * Replicas by name, as `stage=dns:host:port`: every address that the name has now, as those of a headless Service are its ready pods.
 * A name without address has no replica; while the name server does not answer, the last addresses stay. Flags without `dns:` are
 * replicas that never change.
 *
 * @throws invalid_argument as readEndpoints().
 */
export function dnsEndpoints(flags: readonly string[], stages: readonly string[], options: DnsOptions): EndpointSource {
  const named = flags.filter(isNamedEndpoint).map(flag => flag.replace(PREFIX, "$1="));
  const fixed = flags.filter(flag => !isNamedEndpoint(flag));
  // Checks the form of all.
  readEndpoints([...fixed, ...named], stages);
  const none = Object.fromEntries(stages.map(stage => [stage, []]));
  return {
    follow: listener => {
      const resolver = new Resolver({ timeout: 2000, tries: 2 });
      if (options.servers) resolver.setServers(options.servers);
      let told: string | null = null;
      const tell = (): void => {
        const found = names.map(name => name.flags());
        if (found.includes(null)) return;
        const current = [...fixed, ...found.flatMap(own => own ?? [])];
        if (current.join() === told) return;
        told = current.join();
        listener({ ...none, ...readEndpoints(current, stages) });
      };
      const names = named.map(flag => followName(flag, resolver, options, tell));
      return () => {
        for (const name of names) name.close();
        resolver.cancel();
      };
    },
  };
}

interface FollowedName {
  /** `stage=address:port` for each of its addresses; null before the first answer. */
  readonly flags: () => readonly string[] | null;
  readonly close: () => void;
}

/**
 * Asks for the addresses of one name again and again.
 *
 * @param flag `stage=host:port` or `stage=host:port/MODEL`.
 */
function followName(flag: string, resolver: Resolver, options: DnsOptions, onAnswer: () => void): FollowedName {
  const [, stage = "", host = "", port = ""] = /^([^=]*)=([^/]*):(\d+.*)$/.exec(flag) ?? [];
  let flags: readonly string[] | null = null;
  let isFailing = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  const ask = async (): Promise<void> => {
    const addresses = await findAddresses(resolver, host);
    if (isClosed) return;
    if (addresses !== null)
      flags = addresses.map(address => `${stage}=${address.includes(":") ? `[${address}]` : address}:${port}`);
    else if (!isFailing) options.onProblem(`${host} can't be resolved; its last addresses stay`);
    isFailing = addresses === null;
    onAnswer();
    timer = setTimeout(() => void ask(), options.intervalMs ?? INTERVAL_MS);
  };
  void ask();
  return {
    flags: () => flags,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** The addresses of a name, in their own order, whatever order the name server gives them in; null: they can't be known now. */
async function findAddresses(resolver: Resolver, host: string): Promise<readonly string[] | null> {
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = answers.flatMap(answer => (answer.status === "fulfilled" ? answer.value : []));
  const hasFailed = answers.some(
    answer => answer.status === "rejected" && !NO_ADDRESS.includes((answer.reason as NodeJS.ErrnoException).code ?? ""),
  );
  // One family that failed could hide addresses only where the other has none.
  return found.length > 0 || !hasFailed ? [...new Set(found)].sort() : null;
}
