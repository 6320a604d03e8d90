import { VariscaleError } from "../domain/errors.ts";

/** A replica that is ready to serve a stage. */
export interface Endpoint {
  /** `host:port` of its Open Inference Protocol server; `host:port/MODEL` where the server calls the model otherwise than the stage. */
  readonly address: string;
  /** The variant that it stands for in the stage's vote, whatever it serves just now; missing: it does not vote. */
  readonly voter?: string | undefined;
}

/** All ready replicas, by stage. A stage that is left out has none. */
export type EndpointTable = Readonly<Record<string, readonly Endpoint[]>>;

/** Where the gateway learns its replicas from. */
export interface EndpointSource {
  /** Calls `listener` with each new table, the first one as soon as it is known. Returns what ends that. */
  follow(listener: (table: EndpointTable) => void): () => void;
}

/** What the parent process sends over the IPC channel. */
export interface EndpointsMessage {
  readonly kind: "endpoints";
  readonly stages: EndpointTable;
}

/** The side of `process` that receives messages of the parent. */
export interface MessageChannel {
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

const ADDRESS = /^(\[[0-9a-fA-F:.%]{2,64}\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})(?:\/[^\s/]{1,255})?$/;
/** A table beyond this is an error of its sender. */
const MAX_ENDPOINTS = 10_000;

/** Replicas that never change. @throws invalid_argument as readEndpoints(). */
export function staticEndpoints(flags: readonly string[], stages: readonly string[]): EndpointSource {
  const table = readEndpoints(flags, stages);
  return {
    follow: listener => {
      listener(table);
      return () => {};
    },
  };
}

/**
 * Reads replicas as `stage=host:port` or `stage=host:port/MODEL`; a stage may be named several times. `stage/variant=host:port`: it is one of the stage's
 * voters, and every row goes to one replica of each of them.
 *
 * @throws invalid_argument for another form, or a stage that is not in `stages`.
 */
export function readEndpoints(flags: readonly string[], stages: readonly string[]): EndpointTable {
  const table: Record<string, Endpoint[]> = {};
  for (const flag of flags) {
    const [, name = "", address = ""] = /^([^=]*)=(.*)$/.exec(flag) ?? [];
    const [stage = "", voter] = name.split("/", 2);
    if (!isAddress(address))
      throw new VariscaleError(
        "invalid_argument",
        `endpoint \`${flag}\` must be \`stage=host:port\`, or \`stage=host:port/MODEL\` for a server that calls the model otherwise than the stage`,
      );
    if (!stages.includes(stage))
      throw new VariscaleError(
        "invalid_argument",
        `endpoint \`${flag}\` is for a stage that the pipeline does not have. Write one of: ${stages.join(", ")}.`,
      );
    const endpoints = Object.hasOwn(table, stage) ? (table[stage] ?? []) : [];
    table[stage] = [...endpoints, { address, ...(voter && { voter }) }];
  }
  return table;
}

/** Tables that the parent process sends (EndpointsMessage); a message of this kind that is malformed goes to `onBadMessage`. */
export function ipcEndpoints(channel: MessageChannel, onBadMessage: (problem: string) => void): EndpointSource {
  return {
    follow: listener => {
      const receive = (message: unknown): void => {
        const { kind, stages } = (message ?? {}) as Partial<Record<keyof EndpointsMessage, unknown>>;
        if (kind !== "endpoints") return;
        const table = readTable(stages);
        if (typeof table === "string") onBadMessage(table);
        else listener(table);
      };
      channel.on("message", receive);
      return () => channel.off("message", receive);
    },
  };
}

/** Text: what is wrong. */
function readTable(value: unknown): EndpointTable | string {
  if (typeof value !== "object" || value === null) return "`stages` must be an object";
  const table: Record<string, Endpoint[]> = {};
  let count = 0;
  for (const [stage, endpoints] of Object.entries(value)) {
    if (!Array.isArray(endpoints)) return `\`stages.${stage}\` must be a list`;
    count += endpoints.length;
    if (count > MAX_ENDPOINTS) return `there must not be more than ${MAX_ENDPOINTS} endpoints`;
    const known = new Map<string, Endpoint>();
    for (const endpoint of endpoints) {
      const { address, voter } = (endpoint ?? {}) as Record<keyof Endpoint, unknown>;
      if (!isAddress(address))
        return `an address of stage \`${stage}\` is neither \`host:port\` nor \`host:port/MODEL\``;
      known.set(address, { address, voter: typeof voter === "string" && voter !== "" ? voter : undefined });
    }
    table[stage] = [...known.values()];
  }
  return table;
}

function isAddress(text: unknown): text is string {
  const port = typeof text === "string" ? ADDRESS.exec(text)?.[2] : undefined;
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}
