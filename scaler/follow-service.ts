import { type ServerDuplexStream, type StatusObject, status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Assignment } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { Directive } from "../proto/generated/variscale/switcher/v1/Directive.ts";
import type { SwitcherControlHandlers } from "../proto/generated/variscale/switcher/v1/SwitcherControl.ts";
import type { SwitcherReport__Output } from "../proto/generated/variscale/switcher/v1/SwitcherReport.ts";
import type { Boards } from "./board-store.ts";
import type { Clock } from "./clock.ts";
import { type CallContext, toStatus } from "./grpc-call.ts";
import type { Leadership } from "./leadership.ts";
import type { PipelineCatalogue } from "./pipeline-catalogue.ts";
import { checkOpening, StreamIdentity } from "./stream-identity.ts";
import type { IdentityVerdict, SwitcherIdentity } from "./switcher-identity.ts";
import { type Hello, PROTOCOL_VERSION, parseReport, toDirective } from "./switcher-messages.ts";
import { recordAck, recordNack, recordStatus, type Switcher, type SwitcherRegistry } from "./switcher-registry.ts";

/** A stream that has not said `hello` by then is ended. */
const HELLO_WITHIN_MS = 10_000;
/** Open streams whose switchers are asked again who they are in one pass of the loop, each of which is a review: those that waited longest. */
const MOST_REVIEWS = 10;
/** Directives that may wait for a switcher that does not read them; then its stream is ended. They are few, as no budget counts them. */
const MOST_WAITING = 8;

const NO_LEADER = new VariscaleError(
  "unavailable",
  "this scaler does not lead, and who does is not known yet: try again",
);

type Call = ServerDuplexStream<SwitcherReport__Output, Directive>;

export interface FollowServiceOptions extends CallContext {
  readonly logger: Logger;
  readonly catalogue: PipelineCatalogue;
  readonly boards: Boards;
  readonly registry: SwitcherRegistry;
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly onSwitch: (seconds: number) => void;
  /** Null: a switcher is who it says it is. */
  readonly identity: SwitcherIdentity | null;
  readonly onIdentified: (outcome: IdentityVerdict["outcome"]) => void;
}

/**
 * The switchers' stream. A stream is `silent` until its hello, then `greeted` while it is found out who it is, then `following` (a
 * Switcher in the registry) until it ends: by the other side, by a report that breaks the protocol, by a newer stream of the same pod,
 * or by the end of this process.
 */
export class FollowService {
  readonly streams: SwitcherControlHandlers;
  readonly #options: FollowServiceOptions;
  readonly #streams = new Set<FollowStream>();

  constructor(options: FollowServiceOptions) {
    this.#options = options;
    this.streams = {
      Follow: call => {
        const stream = new FollowStream(call, options, () => this.#streams.delete(stream));
        this.#streams.add(stream);
      },
    };
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /**
   * Ends streams that never said hello, and all where another may lead, and asks a few again who is there; called with every pass of the
   * loop.
   */
  sweep(): void {
    const { clock, leadership } = this.#options;
    if (leadership.mayBeLost) this.sendAway();
    let reviews = 0;
    for (const stream of [...this.#streams]) {
      if (stream.isSilent && clock.nowMs() - stream.openedAtMs > HELLO_WITHIN_MS)
        stream.close(new VariscaleError("deadline_exceeded", "no hello came: a switcher speaks first"));
      stream.endQuestion();
      if (reviews === MOST_REVIEWS || !stream.beginQuestion()) continue;
      reviews += 1;
      // Behind those that wait.
      this.#streams.delete(stream);
      this.#streams.add(stream);
    }
  }

  /** Fails the streams of switchers whose pipeline or stage is gone, or not theirs any more: as a new one would fail. They keep serving. */
  recheck(key: PipelineKey): void {
    for (const { channel } of this.#options.registry.list(key)) channel.recheck();
  }

  /** Tells every switcher where the leader is, or to look for it. */
  sendAway(): void {
    for (const stream of [...this.#streams]) if (!stream.isSilent) stream.sendAway();
  }

  /** Ends every stream with OK: the switchers keep serving, and reconnect. */
  endStreams(): void {
    for (const stream of [...this.#streams]) stream.close(null);
  }
}

class FollowStream {
  readonly openedAtMs: number;
  readonly #call: Call;
  readonly #options: FollowServiceOptions;
  readonly #onEnd: () => void;
  readonly #startMs = performance.now();
  #hello: Hello | null = null;
  /** Null: it is who it says it is. */
  #identity: StreamIdentity | null = null;
  #switcher: Switcher | null = null;
  #ended = false;

  constructor(call: Call, options: FollowServiceOptions, onEnd: () => void) {
    this.#call = call;
    this.#options = options;
    this.#onEnd = onEnd;
    this.openedAtMs = options.clock.nowMs();
    call.on("data", (report: SwitcherReport__Output) => this.#take(report));
    call.on("end", () => this.close(null));
    for (const event of ["cancelled", "close"]) call.on(event, () => this.#finish(status.CANCELLED));
    call.on("error", () => this.#finish(status.INTERNAL));
    if (options.identity !== null && options.leadership.isLeading) void this.#lookAtToken(options.identity);
  }

  get isSilent(): boolean {
    return this.#hello === null;
  }

  /** Ends the stream; null: with OK. */
  close(error: VariscaleError | null): void {
    this.#end(error === null ? null : toStatus(error, "Follow", this.#options.logger));
  }

  /** To the leader, where it is known. */
  sendAway(): void {
    const { leader } = this.#options.leadership;
    if (leader !== null) this.#send({ redirect: { address: leader.switchers } });
    this.close(leader === null ? NO_LEADER : null);
  }

  /** Asks again who is there, where that is due; true: it did, and is open still. */
  beginQuestion(): boolean {
    if (!this.#switcher || !this.#identity?.begin()) return false;
    this.#send({ showToken: {} });
    // Whoever does not read is gone by now.
    return !this.#ended;
  }

  /** Goes on without an answer, where none came in time. */
  endQuestion(): void {
    if (this.#identity?.isUnanswered) void this.#review(null);
  }

  #take(message: SwitcherReport__Output): void {
    if (this.#ended) return;
    try {
      const report = parseReport(message);
      if (report.kind === "hello") this.#greet(report.hello);
      else if (report.kind === "token") void this.#review(report.token);
      else this.#record(report);
    } catch (thrown) {
      this.#end(toStatus(thrown, "Follow", this.#options.logger));
    }
  }

  #greet(hello: Hello): void {
    const { leadership, identity } = this.#options;
    if (this.#hello) throw new VariscaleError("invalid_argument", "hello came twice: open a new stream instead");
    if (!hello.protocolVersions.includes(PROTOCOL_VERSION))
      throw new VariscaleError(
        "failed_precondition",
        `the switcher speaks protocol ${hello.protocolVersions.join(", ") || "(none)"} and the scaler ${PROTOCOL_VERSION}: upgrade the one that is older; the switcher serves what it was told last until then`,
      );
    this.#hello = hello;
    if (!leadership.isLeading) this.sendAway();
    else if (identity === null) this.#admit(hello);
    else void this.#identify(hello, identity);
  }

  /** Refuses a stream that was opened with no token, or a wrong one, before its hello; if that has come, it is looked at with that. */
  async #lookAtToken(identity: SwitcherIdentity): Promise<void> {
    const refused = await checkOpening(identity, this.#call.metadata);
    if (refused === null || this.#ended || this.#hello !== null) return;
    this.#options.onIdentified(refused.outcome);
    this.#options.logger.warn({ peer: this.#call.getPeer() }, refused.error.message);
    this.close(refused.error);
  }

  async #identify(hello: Hello, identity: SwitcherIdentity): Promise<void> {
    const { catalogue, clock, leadership, logger, onIdentified } = this.#options;
    const onProblem = (outcome: IdentityVerdict["outcome"], problem: string): void => {
      const { namespace, pipeline, stage, pod, address } = hello;
      logger.warn({ namespace, pipeline, stage, pod, address, outcome }, `switcher not taken: ${problem}`);
    };
    const options = { identity, catalogue, clock, onIdentified, onProblem };
    this.#identity = new StreamIdentity(options, hello, this.#call.metadata);
    try {
      const error = await this.#identity.identify();
      if (this.#ended) return;
      if (error !== null) throw error;
      if (leadership.isLeading) this.#admit(hello);
      else this.sendAway();
    } catch (thrown) {
      this.#end(toStatus(thrown, "Follow", logger));
    }
  }

  /** @param shown null: nothing came in time. */
  async #review(shown: string | null): Promise<void> {
    if (this.#ended) return;
    try {
      const error = this.#switcher && (await this.#identity?.review(shown));
      if (error) throw error;
    } catch (thrown) {
      this.#end(toStatus(thrown, "Follow", this.#options.logger));
    }
  }

  #recheck(hello: Hello): void {
    const { namespace, pipeline: name, stage } = hello;
    try {
      this.#options.catalogue.stage({ namespace, name }, stage, "not_found");
      const error = this.#identity?.recheck() ?? null;
      if (error !== null) throw error;
    } catch (thrown) {
      this.close(VariscaleError.from(thrown));
    }
  }

  #admit(hello: Hello): void {
    const { catalogue, boards, registry, leadership, clock, logger } = this.#options;
    const key = { namespace: hello.namespace, name: hello.pipeline };
    catalogue.stage(key, hello.stage, "not_found");
    const channel = {
      send: (assignment: Assignment) => {
        // The last look before it is sent; whoever is closed gets it from the leader.
        if (leadership.isLeading) this.#send(toDirective(assignment));
        else this.close(NO_LEADER);
      },
      recheck: () => this.#recheck(hello),
      close: (error: VariscaleError | null) => this.close(error),
    };
    this.#switcher = registry.connect(hello, channel, boards.latest(key), clock.nowMs());
    const { namespace, pipeline, stage, pod, address, softwareVersion } = hello;
    logger.info({ namespace, pipeline, stage, pod, address, softwareVersion }, "switcher connected");
  }

  #record(report: Exclude<ReturnType<typeof parseReport>, { readonly kind: "hello" | "token" }>): void {
    const { clock, logger, onSwitch } = this.#options;
    const switcher = this.#switcher;
    if (!switcher) {
      // What it says meanwhile, it says again.
      if (this.#hello) return;
      throw new VariscaleError("invalid_argument", `${report.kind} came before hello: speak hello first`);
    }
    const { namespace, pipeline, stage, pod } = switcher.hello;
    switch (report.kind) {
      case "status":
        recordStatus(switcher, report.status, clock.nowMs());
        return;
      case "ack":
        onSwitch(report.ack.switchMs / 1000);
        recordAck(switcher, report.ack, clock.nowMs());
        return;
      case "nack": {
        const known = recordNack(switcher, report.nack, clock.nowMs());
        const { version, code, message } = report.nack;
        // That a newer assignment came in between is how things should go.
        const level = code === "superseded" || code === "stale_version" ? "debug" : "warn";
        logger[level]({ namespace, pipeline, stage, pod, version, code, known }, `switcher refused: ${message}`);
        return;
      }
      default:
        report satisfies never;
    }
  }

  #send(directive: Directive): void {
    if (this.#ended) return;
    if (this.#call.writableLength < MOST_WAITING) this.#call.write(directive);
    else this.close(new VariscaleError("resource_exhausted", "the switcher does not read what it is told"));
  }

  #end(error: StatusObject | null): void {
    if (this.#ended) return;
    this.#finish(error?.code ?? status.OK);
    if (error) this.#call.emit("error", error);
    else this.#call.end();
  }

  #finish(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    const { registry, observe, logger } = this.#options;
    observe("Follow", code, (performance.now() - this.#startMs) / 1000);
    if (!this.#switcher) return;
    registry.remove(this.#switcher);
    const { namespace, pipeline, stage, pod } = this.#switcher.hello;
    logger.info({ namespace, pipeline, stage, pod, code }, "switcher disconnected");
  }
}
