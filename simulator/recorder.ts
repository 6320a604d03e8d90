import { AnswerWindow } from "../gateway/answer-window.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

/** What happened to the requests that came within some time, and what it took to serve them. */
export interface Counts {
  offered: number;
  inTime: number;
  /** Answered, but not within the SLO. */
  late: number;
  dropped: number;
  lost: number;
  /** Calls that replicas sent back: another replica may have served them. */
  refused: number;
  /** Sum over all answered requests of the accuracy of the variants that served them. */
  accuracySum: number;
  /** The same of those in time. */
  accuracyInTimeSum: number;
  coreSeconds: number;
  switches: number;
}

export interface Window extends Counts {
  /** From the start of what counts. */
  readonly fromSecond: number;
  readonly latency: LatencyHistogram;
  /** Rows that were served in it, by stage and variant. */
  readonly rows: readonly Map<string, number>[];
}

const SERVED = { kind: "served" } as const;

/** Counts in windows of equal length, by when requests came; what came in the warm-up is left out. */
export class Recorder {
  readonly windows: Window[] = [];
  /** How requests of the last minute ended, whenever they came. */
  readonly answers: AnswerWindow;
  readonly #fromMs: number;
  readonly #toMs: number;
  readonly #windowMs: number;
  readonly #sloMs: number;

  constructor(options: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly windowMs: number;
    readonly sloMs: number;
    /** How many there are. */
    readonly stages: number;
  }) {
    this.#fromMs = options.fromMs;
    this.#toMs = options.toMs;
    this.#windowMs = options.windowMs;
    this.#sloMs = options.sloMs;
    this.answers = new AnswerWindow(options.sloMs, 0);
    const windows = Math.ceil((options.toMs - options.fromMs) / options.windowMs);
    for (let i = 0; i < windows; i++) this.windows.push(emptyWindow((i * options.windowMs) / 1000, options.stages));
  }

  countOffered(arrivedMs: number): void {
    const window = this.#at(arrivedMs);
    if (window) window.offered += 1;
  }

  countAnswered(arrivedMs: number, latencyMs: number, accuracy: number): void {
    this.answers.end(SERVED, latencyMs, arrivedMs + latencyMs);
    const window = this.#at(arrivedMs);
    if (!window) return;
    window.latency.add(latencyMs);
    window.accuracySum += accuracy;
    if (latencyMs > this.#sloMs) window.late += 1;
    else {
      window.inTime += 1;
      window.accuracyInTimeSum += accuracy;
    }
  }

  countFailed(arrivedMs: number, outcome: "dropped" | "lost", nowMs: number): void {
    this.answers.end({ kind: outcome }, 0, nowMs);
    const window = this.#at(arrivedMs);
    if (window) window[outcome] += 1;
  }

  countServed(stage: number, variant: string, rows: number, atMs: number): void {
    const counts = this.#at(atMs)?.rows[stage];
    counts?.set(variant, (counts.get(variant) ?? 0) + rows);
  }

  /** A replica sent a call back, as it could not serve it in time. */
  countRefused(atMs: number): void {
    const window = this.#at(atMs);
    if (window) window.refused += 1;
  }

  countSwitched(atMs: number): void {
    const window = this.#at(atMs);
    if (window) window.switches += 1;
  }

  /** `cores` were taken from one time to another. */
  countHeld(cores: number, fromMs: number, toMs: number): void {
    let from = Math.max(fromMs, this.#fromMs);
    const to = Math.min(toMs, this.#toMs);
    while (from < to) {
      const i = Math.floor((from - this.#fromMs) / this.#windowMs);
      const end = Math.min(to, this.#fromMs + (i + 1) * this.#windowMs);
      const window = this.windows[i];
      if (window) window.coreSeconds += (cores * (end - from)) / 1000;
      from = end;
    }
  }

  #at(atMs: number): Window | undefined {
    return this.windows[Math.floor((atMs - this.#fromMs) / this.#windowMs)];
  }
}

function emptyWindow(fromSecond: number, stages: number): Window {
  return {
    fromSecond,
    offered: 0,
    inTime: 0,
    late: 0,
    dropped: 0,
    lost: 0,
    refused: 0,
    accuracySum: 0,
    accuracyInTimeSum: 0,
    coreSeconds: 0,
    switches: 0,
    latency: new LatencyHistogram(),
    rows: Array.from({ length: stages }, () => new Map()),
  };
}
