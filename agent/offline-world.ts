import type { PipelineBoard } from "../control/board.ts";
import { type Tuning, UNTUNED } from "../control/tuning.ts";
import { Simulation } from "../simulator/simulation.ts";
import type { SimulationOptions, SimulationRun } from "../simulator/simulation-run.ts";
import type { AgentPort } from "./port.ts";
import type { Situation } from "./situation.ts";

/** A tick a second. */
const TICK_MS = 1000;
/** Of the load, what a Situation remembers. */
const RECENT_SECONDS = 600;

/** A pipeline under a load in the simulator, which waits while an agent thinks. */
export class OfflineWorld implements AgentPort {
  readonly #options: SimulationOptions;
  readonly #simulation: Simulation;
  #ticks = 0;
  #tuning: Tuning = UNTUNED;
  #tunedUntil = Number.POSITIVE_INFINITY;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#simulation = new Simulation(options);
  }

  get board(): PipelineBoard | null {
    return this.#simulation.board;
  }

  /** In force now. */
  get tuning(): Tuning {
    return this.#tuning;
  }

  /** Lets seconds pass. False: the load is over. */
  advance(seconds: number): boolean {
    for (let i = 0; i < seconds; i++) {
      if (this.#ticks >= this.#tunedUntil) this.#set(UNTUNED, Number.POSITIVE_INFINITY);
      if (!this.#simulation.advance()) return false;
      this.#ticks += 1;
    }
    return true;
  }

  /** What it came to. After this it can't go on. */
  finish(): SimulationRun {
    while (this.advance(1));
    return this.#simulation.result();
  }

  situationNow(): Situation {
    const { pipeline, load, maxCores } = this.#options;
    const { board } = this;
    const nowMs = board?.atMs ?? load.startMs;
    const seconds = Math.round((nowMs - load.startMs) / 1000);
    const recent = load.ratesRps.slice(Math.max(0, seconds - RECENT_SECONDS), seconds);
    return {
      pipeline,
      atMs: nowMs,
      mode: "active",
      load: board?.load ?? null,
      forecast: board?.forecast ?? null,
      plan: board?.plan ?? null,
      corrections: board?.corrections ?? {},
      excluded: {},
      pins: [],
      limits: { cores: maxCores, machineCores: null },
      bounds: {},
      tuning: this.#tuning,
      recentRps: Array.from(recent, rate => (Number.isNaN(rate) ? null : rate)),
    };
  }

  async situation(): Promise<Situation> {
    return this.situationNow();
  }

  async apply(tuning: Tuning, ttlMs: number): Promise<void> {
    this.#set(tuning, this.#ticks + Math.max(1, Math.round(ttlMs / TICK_MS)));
  }

  #set(tuning: Tuning, until: number): void {
    this.#tuning = tuning;
    this.#tunedUntil = until;
    this.#simulation.tune(tuning);
  }
}
