import type { Condition, PipelineBoard, StageBoard } from "../../control/board.ts";
import { replicaRps, stageRates } from "../../control/capacity.ts";
import { type ControlState, initialState } from "../../control/control-state.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import { tick } from "../../control/tick.ts";
import type { TickInput } from "../../control/tick-input.ts";
import { UNTUNED } from "../../control/tuning.ts";
import { findTop, NO_VERSION } from "../../domain/assignment.ts";
import { mainPart, replicasOf } from "../../domain/configuration.ts";
import { type Forecast, RATE_QUANTILES } from "../../domain/load.ts";
import { findStage, type Pipeline } from "../../domain/pipeline.ts";
import { configurationOf } from "../../domain/plan.ts";

interface Pod {
  readonly stage: string;
  readonly pod: string;
  readyAtMs: number;
  view: SwitcherView;
  /** What it is switching to, and when that is done. */
  switching: { readonly atMs: number; readonly change: Partial<SwitcherView> & Pick<SwitcherView, "applied"> } | null;
}

/** A virtual cluster around tick(): pods take time to start and to switch; the forecast is exactly what the story says. */
export class Story {
  /** May be edited between ticks. */
  pipeline: Pipeline;
  state: ControlState = initialState(1);
  nowMs = 1_000_000;
  startMs = 3000;
  switchMs = 1000;
  /** Pods that never become ready beyond this many a stage. */
  mostPods = Number.POSITIVE_INFINITY;
  /** Variants whose load fails, as `stage/variant`. */
  readonly broken = new Set<string>();
  /** Variants that pods have no model file of, by stage. */
  missing: Readonly<Record<string, readonly string[]>>;
  input: Partial<TickInput> = {};
  board: PipelineBoard;
  readonly boards: PipelineBoard[] = [];
  #pods: Pod[] = [];
  #named = 0;

  constructor(pipeline: Pipeline, options: { readonly podsAtStart?: number } & Partial<Pick<Story, "missing">> = {}) {
    this.pipeline = pipeline;
    this.missing = options.missing ?? {};
    for (const stage of pipeline.stages)
      for (let i = 0; i < (options.podsAtStart ?? 1); i++) this.#start(stage.name, 0);
    this.board = this.#tick(null);
  }

  /** Lets seconds pass at a rate; null: no data. */
  run(seconds: number, rateRps: number | null, eachSecond?: (story: Story) => void): this {
    for (let i = 0; i < seconds; i++) {
      this.nowMs += 1000;
      this.board = this.#tick(rateRps);
      this.boards.push(this.board);
      eachSecond?.(this);
    }
    return this;
  }

  stage(name: string): StageBoard {
    const found = this.board.stages.find(stage => stage.stage === name);
    if (!found) throw new Error(`no stage ${name}`);
    return found;
  }

  /** Variant that the goal names. */
  goal(stage: string): string | undefined {
    const configuration = this.board.plan && configurationOf(this.board.plan)[stage];
    return configuration ? mainPart(configuration)?.variant : undefined;
  }

  goalReplicas(stage: string): number {
    const configuration = this.board.plan && configurationOf(this.board.plan)[stage];
    return configuration ? replicasOf(configuration) : 0;
  }

  views(stage: string): SwitcherView[] {
    return this.#pods.filter(pod => pod.stage === stage).map(pod => pod.view);
  }

  /** Variants of the ready pods, sorted. */
  served(stage: string): string[] {
    return this.views(stage)
      .filter(view => view.ready)
      .map(view => view.variant)
      .sort();
  }

  /** Lets every pod of a stage, or the named one, report something. */
  report(stage: string, change: Partial<SwitcherView>, name: string | null = null): void {
    for (const pod of this.#pods)
      if (pod.stage === stage && (name === null || name === pod.pod)) pod.view = { ...pod.view, ...change };
  }

  kill(stage: string): void {
    const index = this.#pods.findIndex(pod => pod.stage === stage);
    if (index >= 0) this.#pods.splice(index, 1);
  }

  /** Sets the clock, and no pod notices. */
  jump(byMs: number): void {
    this.nowMs += byMs;
    for (const pod of this.#pods) {
      pod.readyAtMs += byMs;
      if (pod.switching) pod.switching = { ...pod.switching, atMs: pod.switching.atMs + byMs };
    }
  }

  condition(type: string): Condition | undefined {
    return this.board.conditions.find(other => other.type === type);
  }

  /** Entry rate that the ready pods can serve with what they serve. */
  capacityRps(): number {
    const perRequest = stageRates(this.pipeline, 1, stage => this.goal(stage) ?? null);
    const capacities = this.pipeline.stages.map(stage => {
      const rows = this.views(stage.name).reduce(
        (sum, view) => sum + (view.ready ? replicaRps(stage, view.variant, view.batch, 1) : 0),
        0,
      );
      return rows / (perRequest[stage.name] ?? 1);
    });
    return Math.min(...capacities);
  }

  #tick(rateRps: number | null): PipelineBoard {
    this.#settle();
    const result = tick(this.state, { ...this.#defaults(rateRps), ...this.input }, this.nowMs);
    // A state goes through JSON at every save: nothing may be lost by it.
    this.state = JSON.parse(JSON.stringify(result.state)) as ControlState;
    this.#follow(result.board);
    return result.board;
  }

  #defaults(rateRps: number | null): TickInput {
    return {
      pipeline: this.pipeline,
      mode: "active",
      forecast: rateRps === null ? null : certain(rateRps, this.nowMs),
      load: rateRps === null ? null : { atMs: this.nowMs, rateRps },
      switchers: this.#pods.map(({ stage, view }) => ({
        ...view,
        missingVariants: this.missing[stage] ?? view.missingVariants,
      })),
      readyReplicas: {},
      bounds: {},
      scaling: {},
      answered: [],
      pins: [],
      tuning: UNTUNED,
      limits: { cores: null, machineCores: null },
      epoch: 1,
    };
  }

  /** What was due by now has happened: pods are ready, switches are done. */
  #settle(): void {
    for (const stage of this.pipeline.stages) {
      let started = 0;
      for (const pod of this.#pods.filter(other => other.stage === stage.name)) {
        started += 1;
        if (pod.switching && this.nowMs >= pod.switching.atMs) {
          pod.view = { ...pod.view, ...pod.switching.change };
          pod.switching = null;
        }
        if (this.nowMs >= pod.readyAtMs && started <= this.mostPods) pod.view = { ...pod.view, ready: true };
      }
    }
  }

  #follow(board: PipelineBoard): void {
    for (const { stage, replicasNow, assignments } of board.stages) {
      const pods = this.#pods.filter(pod => pod.stage === stage);
      for (let i = pods.length; i < replicasNow; i++) this.#start(stage, this.startMs);
      for (const pod of pods.slice(replicasNow)) this.#pods.splice(this.#pods.indexOf(pod), 1);
      for (const pod of pods) {
        const assignment = assignments.get(pod.pod);
        if (
          !assignment ||
          pod.view.pin ||
          (pod.switching?.change ?? pod.view).applied.counter === assignment.version.counter
        )
          continue;
        const { version, top: variant, rungs } = assignment;
        if (pod.view.nack?.version.counter === version.counter) continue;
        if (this.broken.has(`${stage}/${variant}`)) {
          pod.view = { ...pod.view, nack: { version, variant, code: "model_invalid", message: "broken" } };
          continue;
        }
        if (this.missing[stage]?.includes(variant)) {
          pod.view = { ...pod.view, nack: { version, variant, code: "model_missing", message: "not there" } };
          continue;
        }
        const resident = [...new Set([...pod.view.residentVariants, ...rungs.map(rung => rung.variant)])];
        const isResident = pod.view.residentVariants.includes(variant);
        pod.switching = {
          atMs: this.nowMs + (isResident ? 0 : this.switchMs),
          change: { applied: version, variant, batch: findTop(assignment).maxBatch, residentVariants: resident },
        };
      }
    }
  }

  #start(stage: string, startMs: number): void {
    this.#named += 1;
    const variant = findStage(this.pipeline, stage)?.defaultVariant ?? "";
    const view: SwitcherView = {
      stage,
      pod: `${stage}-${String(this.#named).padStart(3, "0")}`,
      ready: false,
      applied: NO_VERSION,
      variant,
      batch: 1,
      residentVariants: [variant],
      missingVariants: [],
      pin: null,
      queuedRows: 0,
      queueAgeMs: 0,
      serviceTimes: [],
      timeFactor: 1,
      timedBatches: 1,
      nack: null,
    };
    this.#pods.push({ stage, pod: view.pod, readyAtMs: this.nowMs + startMs, view, switching: null });
  }
}

/** A forecast that is right at every quantile. */
export function certain(rateRps: number, atMs: number): Forecast {
  return {
    atMs,
    horizonMs: 25_000,
    peakRps: [rateRps, rateRps, rateRps, rateRps],
    intensityRps: [rateRps, rateRps, rateRps, rateRps],
    rateRps: RATE_QUANTILES.map(() => rateRps),
    reactiveRps: rateRps,
    leader: "story",
  };
}
