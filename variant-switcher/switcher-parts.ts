import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { findLadderRungs } from "../domain/assignment.ts";
import { BatchTimes } from "../domain/serving/batch-times.ts";
import { createRegistry } from "../runtime/process-metrics.ts";
import type { Tracer } from "../runtime/tracing/tracing.ts";
import { packageVersion } from "../runtime/version.ts";
import { AccuracySignals } from "./accuracy-signals.ts";
import { Batcher } from "./batcher.ts";
import type { SwitcherConfig } from "./config.ts";
import { Counters } from "./counters.ts";
import { DataPlane } from "./data-plane.ts";
import { MemoryGuard } from "./memory-guard.ts";
import { MissingFiles } from "./missing-files.ts";
import { ProfileHere } from "./profile-here.ts";
import { ReplicaLadder } from "./replica-ladder.ts";
import { Repository } from "./repository.ts";
import { RequestLimits } from "./request-limits.ts";
import type { ModelSession } from "./session.ts";
import { SessionPool } from "./session-pool.ts";
import { type StatusSources, switcherStatus } from "./status.ts";
import { createSwitcherMetrics, type SwitcherMetrics } from "./switcher-metrics.ts";
import { KeptAssignment } from "./switching/kept-assignment.ts";
import { findHeavier, findWanted, listIncoming } from "./switching/state.ts";
import { Switching } from "./switching/switching.ts";

/**
 * A load takes the core from the batch that runs, so it rather begins when that has ended, and so does the warming; after so long all the
 * same, as whoever wants the Switch waits too.
 */
const MAX_PAUSE_MS = 100;
const MIB = 1024 * 1024;

export interface PartsOptions {
  readonly config: SwitcherConfig;
  readonly logger: Logger;
  /** The script of a session's thread. Default: the one beside this file. */
  readonly workerUrl?: URL;
  /** Shortest time after which a run is taken for hung. Default 10 s. */
  readonly minWatchdogMs?: number;
  /** How often memory is looked at. Default 1 s. */
  readonly memoryCheckMs?: number;
  /** How often it looks for model files. Default 10 s. */
  readonly fileCheckMs?: number;
  /** Default: requests are not traced. */
  readonly tracer?: Tracer | null;
}

/** Everything in a switcher that is no server, tied together. */
export class SwitcherParts implements StatusSources {
  readonly config: SwitcherConfig;
  readonly registry: Registry;
  readonly counters: Counters;
  /** How long batches take here, against what was measured. */
  readonly times: BatchTimes;
  readonly pool: SessionPool;
  readonly batcher: Batcher;
  readonly switching: Switching;
  readonly kept: KeptAssignment;
  readonly plane: DataPlane;
  readonly profileHere: ProfileHere;
  readonly logger: Logger;
  readonly signals: AccuracySignals | null;
  readonly tracer: Tracer | null;
  readonly #metrics: SwitcherMetrics;
  readonly memory: MemoryGuard;
  readonly limits: RequestLimits;
  readonly missing: MissingFiles;
  #hasServed = false;
  #isEnding = false;
  #isDrained = false;

  constructor(options: PartsOptions) {
    const { config, logger } = options;
    this.config = config;
    this.times = new BatchTimes(config.crowding);
    this.logger = logger;
    this.tracer = options.tracer ?? null;
    this.registry = createRegistry("variant-switcher", packageVersion);
    this.kept = new KeptAssignment(config.stateFile, logger);
    this.signals =
      config.accuracy &&
      new AccuracySignals(config.accuracy, (variant, confidence) => this.#metrics.answered(variant, confidence));
    this.limits = new RequestLimits(config, () => this.memory.leftMiB);
    const names = config.variants.map(({ name }) => name);
    this.counters = new Counters(names, batch => this.#metrics.ran(batch));
    this.pool = this.#createPool(options);
    this.batcher = this.#createBatcher();
    const { variants, defaultVariant } = config;
    this.switching = new Switching({
      variants,
      defaultVariant,
      pool: this.pool,
      batcher: this.batcher,
      logger,
      onSwitched: ended => {
        this.#hasServed ||= ended.outcome === "done";
        this.#metrics.switched(ended);
      },
      persist: assignment => this.kept.write(assignment),
    });
    const lookMs = options.fileCheckMs;
    this.missing = new MissingFiles({
      config,
      onFound: variant => this.switching.tell({ kind: "findFile", variant }),
      logger,
      ...(lookMs !== undefined && { lookMs }),
    });
    this.plane = this.#createPlane();
    this.profileHere = new ProfileHere({
      contract: config.contract,
      cores: config.cores,
      pool: this.pool,
      switching: this.switching,
      onLoss: (session, reason) => this.#handleIdleLoss(session, reason),
    });
    const { pool, switching } = this;
    const { memoryMiB } = config;
    const checkMs = options.memoryCheckMs;
    this.memory = new MemoryGuard({
      memoryMiB,
      pool,
      switching,
      isInProcess: variant => variants.some(({ name, driver }) => name === variant && driver === "onnx"),
      logger,
      ...(checkMs !== undefined && { checkMs }),
    });
    this.#metrics = createSwitcherMetrics(this.registry, this);
  }

  readonly isReady = (): boolean => !this.#isEnding && !this.#isDrained && this.switching.servedVariant !== null;

  /** Turns unready and takes no Assignments any more, but serves whoever has not noticed yet. */
  end(): void {
    this.#isEnding = true;
    this.switching.tell({ kind: "end" });
  }

  /** Takes in no work any more; resolves when what was taken in is done. */
  async drain(): Promise<void> {
    this.#isDrained = true;
    this.end();
    await this.batcher.whenIdle();
  }

  /** Ends every session and timer. */
  async close(): Promise<void> {
    this.end();
    this.memory.close();
    this.missing.close();
    this.switching.tell({ kind: "close" });
    this.batcher.dropAll("not_ready", "the switcher has ended");
    await this.pool.close();
    await this.kept.flush();
    await this.tracer?.close().catch((error: unknown) => this.logger.warn({ err: error }, "traces were lost"));
  }

  #createPool({ config, workerUrl, minWatchdogMs }: PartsOptions): SessionPool {
    return new SessionPool({
      config,
      baseMiB: process.memoryUsage.rss() / MIB,
      serving: () => (this.switching.servedRungs ?? []).map(({ variant }) => variant),
      running: () => this.batcher.runningVariants,
      whenEnded: variant => this.batcher.whenEnded(variant),
      incoming: () => listIncoming(this.switching.state),
      wanted: () => findWanted(this.switching.state).map(({ variant }) => variant),
      paused: signal => this.batcher.whenPaused(MAX_PAUSE_MS, signal),
      onIdleLoss: (session, reason) => this.#handleIdleLoss(session, reason),
      ...(workerUrl && { workerUrl }),
      ...(minWatchdogMs !== undefined && { minWatchdogMs }),
    });
  }

  #createPlane(): DataPlane {
    const { batcher, config, isReady, pool, switching } = this;
    const repository = new Repository({
      config,
      switching,
      isRunning: variant => batcher.runningVariants.includes(variant),
      drop: variant => pool.drop(variant),
      variants: () => switcherStatus(this).variants,
    });
    return new DataPlane({
      config,
      batcher,
      counters: this.counters,
      isReady,
      budgets: () => this.switching.state.budgets,
      repository,
      signals: this.signals,
      tracer: this.tracer,
      logger: this.logger,
    });
  }

  #createBatcher(): Batcher {
    return new Batcher({
      contract: this.config.contract,
      limits: this.config.queue,
      ladder: new ReplicaLadder(this.config.variants, this.pool, this.times, variant =>
        findHeavier(this.switching.state, variant),
      ),
      isLoading: () => this.pool.isBusy,
      observer: this.counters,
      refusal: () => {
        if (this.#isDrained) return "the switcher drains; ask another replica";
        return this.#hasServed ? null : "no variant is loaded yet";
      },
      isBelowFloor: variant => {
        const { applied, pin } = this.switching.state;
        return pin?.variant !== variant && applied !== null && applied.belowFloor.includes(variant);
      },
      shadowRungs: () => {
        const { applied, pin } = this.switching.state;
        if (!applied?.shadow || pin !== null || this.switching.servedVariant !== applied.top) return [];
        return findLadderRungs(applied).slice(1);
      },
      onLost: (session, reason) => this.#forgetLost(session, reason),
    });
  }

  /** A session was lost that ran no batch. */
  #handleIdleLoss(session: ModelSession, reason: string): void {
    if (!this.batcher.lostIdle(session, reason)) this.#forgetLost(session, reason);
  }

  #forgetLost(session: ModelSession, reason: string): void {
    this.counters.countLoss(session.variant);
    this.switching.handleLoss(session, reason);
  }
}
