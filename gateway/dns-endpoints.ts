import { Resolver } from "node:dns/promises";
import type { Endpoint, EndpointSource, EndpointTable } from "./endpoint-source.ts";
import { staticEndpoints } from "./endpoint-source.ts";

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
 * @throws invalid_argument as staticEndpoints().
 */
export function dnsEndpoints(flags: readonly string[], stages: readonly string[], options: DnsOptions): EndpointSource {
  const named = flags.filter(isNamedEndpoint).map(flag => flag.replace(PREFIX, "$1="));
  const fixed = flags.filter(flag => !isNamedEndpoint(flag));
  // Checks the form of all.
  staticEndpoints([...fixed, ...named], stages);
  return {
    follow: listener => {
      const resolver = new Resolver({ timeout: 2000, tries: 2 });
      if (options.servers) resolver.setServers(options.servers);
      const names = named.map(flag => new FollowedName(flag, resolver, options));
      let table: string | null = null;
      const tell = (): void => {
        if (names.some(name => name.addresses === null)) return;
        const current = fixed.concat(names.flatMap(name => name.flags()));
        if (current.join() === table) return;
        table = current.join();
        listener(completeTable(current, stages));
      };
      for (const name of names) name.start(tell);
      return () => {
        for (const name of names) name.close();
        resolver.cancel();
      };
    },
  };
}

function completeTable(flags: readonly string[], stages: readonly string[]): EndpointTable {
  let table: EndpointTable = {};
  staticEndpoints(flags, stages).follow(next => {
    table = next;
  });
  const none: readonly Endpoint[] = [];
  return { ...Object.fromEntries(stages.map(stage => [stage, none])), ...table };
}

/** One name, asked for again and again. */
class FollowedName {
  readonly #stage: string;
  readonly #host: string;
  /** `port`, or `port/MODEL`. */
  readonly #port: string;
  readonly #resolver: Resolver;
  readonly #options: DnsOptions;
  #addresses: readonly string[] | null = null;
  #isFailing = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param flag `stage=host:port` or `stage=host:port/MODEL`. */
  constructor(flag: string, resolver: Resolver, options: DnsOptions) {
    const [, stage = "", host = "", port = ""] = /^([^=]*)=([^/]*):(\d+.*)$/.exec(flag) ?? [];
    this.#stage = stage;
    this.#host = host;
    this.#port = port;
    this.#resolver = resolver;
    this.#options = options;
  }

  /** Null before the first answer. */
  get addresses(): readonly string[] | null {
    return this.#addresses;
  }

  flags(): string[] {
    const { addresses } = this;
    return (addresses ?? []).map(
      address => `${this.#stage}=${address.includes(":") ? `[${address}]` : address}:${this.#port}`,
    );
  }

  start(onAnswer: () => void): void {
    const ask = async (): Promise<void> => {
      const addresses = await this.#ask();
      if (this.#isClosed) return;
      if (addresses !== null) this.#addresses = addresses;
      onAnswer();
      this.#timer = setTimeout(() => void ask(), this.#options.intervalMs ?? INTERVAL_MS);
    };
    void ask();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Null: it can't be known now. In the order of the addresses, whatever order the name server gives them in. */
  async #ask(): Promise<readonly string[] | null> {
    const [ipv4, ipv6] = await Promise.allSettled([
      this.#resolver.resolve4(this.#host),
      this.#resolver.resolve6(this.#host),
    ]);
    const found = [ipv4, ipv6].flatMap(answer => (answer.status === "fulfilled" ? answer.value : []));
    const failure = [ipv4, ipv6].find(
      answer =>
        answer.status === "rejected" && !NO_ADDRESS.includes((answer.reason as NodeJS.ErrnoException).code ?? ""),
    );
    // One family that failed could hide addresses only where the other has none.
    const isKnown = found.length > 0 || failure === undefined;
    if (!isKnown && !this.#isFailing && !this.#isClosed)
      this.#options.onProblem(`${this.#host} can't be resolved; its last addresses stay`);
    this.#isFailing = !isKnown;
    return isKnown ? [...new Set(found)].sort() : null;
  }
}
