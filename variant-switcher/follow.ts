import { type ChannelOptions, type ClientDuplexStream, credentials, type Metadata, status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { type Assignment, NO_VERSION, type Version } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import type { ProtoGrpcType } from "../proto/generated/switcher.ts";
import type { Assignment__Output } from "../proto/generated/variscale/switcher/v1/Assignment.ts";
import type { Directive__Output } from "../proto/generated/variscale/switcher/v1/Directive.ts";
import type { SwitcherControlClient } from "../proto/generated/variscale/switcher/v1/SwitcherControl.ts";
import type { SwitcherReport } from "../proto/generated/variscale/switcher/v1/SwitcherReport.ts";
import { loadProto } from "../runtime/grpc.ts";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import { backoffMs } from "./backoff.ts";
import type { SwitcherConfig } from "./config.ts";
import { assignmentFromMessage, helloMessage, statusMessage } from "./follow-messages.ts";
import { refuse } from "./session-messages.ts";
import type { SwitcherStatus } from "./status.ts";
import type { SwitchOutcome } from "./switching/state.ts";
import type { Switching } from "./switching/switching.ts";
import { readToken, tokenMetadata } from "./token-metadata.ts";

const STATUS_MS = 1000;
/** A scaler that does not answer pings for this long is gone. */
const KEEPALIVE = { "grpc.keepalive_time_ms": 10_000, "grpc.keepalive_timeout_ms": 5000 };
const NO_OWN_BACKOFF = { "grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000 };

export interface FollowOptions {
  readonly config: SwitcherConfig;
  readonly scalerAddress: string;
  /** host:port as gateways reach this switcher. */
  readonly address: string;
  readonly switching: Switching;
  readonly status: () => SwitcherStatus;
  /** The scaler wants no new work to be taken and the queue to be emptied; resolves when that is done. */
  readonly drain: () => Promise<void>;
  /** Null: plaintext. */
  readonly tls: TlsFolder | null;
  readonly logger: Logger;
}

type Stream = ClientDuplexStream<SwitcherReport, Directive__Output>;

/**
 * Follows the scaler for as long as the switcher lives: says hello, reports once a second, applies Assignments and acks or
 * nacks each of them. A lost stream is opened again after a back-off with jitter; a follower's redirect is obeyed once, then
 * the configured address is tried again.
 */
export class Follow {
  readonly #options: FollowOptions;
  #stream: Stream | null = null;
  #client: SwitcherControlClient | null = null;
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: FollowOptions) {
    this.#options = options;
    options.switching.listen((version, outcome, variant) => this.#tell(version, outcome, variant));
    this.#connect(options.scalerAddress);
  }

  /** Ends the stream for good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#stream?.end();
    this.#leave();
  }

  #connect(address: string): void {
    let shown: Metadata;
    try {
      shown = tokenMetadata(this.#options.config.scalerTokenFile);
    } catch (error) {
      this.#reconnect(null, { code: status.UNKNOWN, details: VariscaleError.from(error).message });
      return;
    }
    const { SwitcherControl } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1;
    const secured = this.#options.tls?.channelCredentials() ?? credentials.createInsecure();
    const options = { ...KEEPALIVE, ...NO_OWN_BACKOFF, ...this.#nameOf(address) };
    const client = new SwitcherControl(address, secured, options);
    const stream = client.follow(shown);
    this.#client = client;
    this.#stream = stream;
    let redirect: string | null = null;
    stream.on("data", (directive: Directive__Output) => {
      this.#failures = 0;
      if (directive.redirect) redirect = directive.redirect.address;
      this.#obey(directive, stream);
    });
    // The end of the stream follows every error and says the same.
    stream.on("error", () => undefined);
    stream.on("status", ({ code, details }) => {
      if (this.#stream !== stream) return;
      this.#leave();
      this.#reconnect(redirect, { code, details });
    });
    const { config, address: own, status: statusNow } = this.#options;
    stream.write({ hello: helloMessage(config, own, statusNow()) });
    this.#statusTimer = setInterval(() => stream.write({ status: statusMessage(statusNow()) }), STATUS_MS);
  }

  /** Whoever is redirected to still shows a certificate for the configured name: a pod's address is in none. */
  #nameOf(address: string): ChannelOptions {
    const { tls, scalerAddress } = this.#options;
    if (tls === null || address === scalerAddress) return {};
    const name = scalerAddress.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
    return { "grpc.ssl_target_name_override": name, "grpc.default_authority": name };
  }

  #obey(directive: Directive__Output, stream: Stream): void {
    const { switching, drain, logger } = this.#options;
    switch (directive.directive) {
      case "assignment":
        if (directive.assignment) this.#assign(directive.assignment);
        return;
      case "redirect":
        logger.info({ address: directive.redirect?.address }, "redirected");
        stream.end();
        return;
      case "drain":
        switching.tell({ kind: "end" });
        drain().then(
          () => this.close(),
          (error: unknown) => logger.error({ err: error }, "could not drain"),
        );
        return;
      case "showToken":
        this.#showToken(stream);
        return;
      default:
        // A scaler of a later version may say more than this one understands.
        logger.warn({ directive: directive.directive }, "unknown directive");
    }
  }

  #assign(message: Assignment__Output): void {
    let assignment: Assignment;
    try {
      assignment = assignmentFromMessage(message);
    } catch (error) {
      this.#tell(message.version ?? NO_VERSION, refuse("internal", VariscaleError.from(error).message), "");
      return;
    }
    this.#options.switching.tell({ kind: "assign", assignment });
  }

  /** The scaler looks again at who this is; without an answer, at the token that the stream was opened with. */
  #showToken(stream: Stream): void {
    const { config, logger } = this.#options;
    try {
      const token = readToken(config.scalerTokenFile);
      if (token !== null) stream.write({ token: { value: token } });
    } catch (error) {
      logger.warn(VariscaleError.from(error).message);
    }
  }

  #tell(version: Version, outcome: SwitchOutcome, variant: string): void {
    const stream = this.#stream;
    if (stream === null) return;
    if (outcome.kind === "done") stream.write({ ack: { version, switchMs: outcome.switchMs } });
    else stream.write({ nack: { version, code: outcome.code, message: outcome.message, variant } });
    stream.write({ status: statusMessage(this.#options.status()) });
  }

  #reconnect(redirect: string | null, status: { readonly code: number; readonly details: string }): void {
    if (this.#closed) return;
    const { logger, scalerAddress } = this.#options;
    this.#failures++;
    const delayMs = redirect === null ? backoffMs(this.#failures, Math.random()) : backoffMs(1, Math.random());
    if (this.#failures === 1) logger.warn({ ...status, scalerAddress }, "the scaler's stream has ended");
    this.#retryTimer = setTimeout(() => this.#connect(redirect ?? scalerAddress), delayMs);
  }

  #leave(): void {
    clearInterval(this.#statusTimer);
    this.#stream = null;
    const client = this.#client;
    this.#client = null;
    // Closing at once would cut off what was written last.
    setTimeout(() => client?.close(), 100).unref();
  }
}
