import { stuckStages } from "../control/actuation.ts";
import type { PipelineBoard } from "../control/board.ts";
import { type ControlState, initialState } from "../control/control-state.ts";
import { findLeftOut, type LeftOutVariant } from "../control/excluded.ts";
import { planningHorizonMs } from "../control/planning.ts";
import { stateAnew } from "../control/state-anew.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import { tick } from "../control/tick.ts";
import type { TickInput } from "../control/tick-input.ts";
import { UNTUNED } from "../control/tuning.ts";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { LoadSample } from "../domain/load.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { seedOf } from "../load/scatter.ts";
import { FIT_EVERY_SECONDS } from "../predictor/autoregressive-expert.ts";
import { LoadForecaster } from "../predictor/load-forecaster.ts";
import type { LoadCell } from "../predictor/load-history.ts";
import type { ForecastModel } from "../predictor/network/network-model.ts";
import { ModelInUse } from "./forecasting/model-in-use.ts";
import type { StoredModel } from "./forecasting/model-store.ts";
import { type LiveInput, NO_LIVE } from "./live-pipeline.ts";
import { LOAD_STALE_AFTER_MS } from "./load-source.ts";
import { newestSample } from "./newest-sample.ts";
import { type ActiveMode, OperatorSettings } from "./operator-settings.ts";
import type { StoredPipeline } from "./stored-pipeline.ts";
import { assignedStages, withoutSwitchers } from "./switched-stages.ts";

export interface PipelineControlOptions {
  readonly pipeline: Pipeline;
  /** Null: nothing was stored. */
  readonly stored: StoredPipeline | null;
  /** Ten-second cells that were stored, rising; missing: none. */
  readonly cells?: Iterable<LoadCell>;
  /** Forecasts where the pipeline has no model of its own; missing: the forecast goes without a network. */
  readonly bundledModel?: ForecastModel | null;
  /** Null or missing: none was stored. */
  readonly ownModel?: StoredModel | null;
  /** Higher than any epoch before. */
  readonly epoch: number;
  /** Of the one machine that all replicas share; null: replicas have their cores to themselves. */
  readonly machineCores: number | null;
  /** The gateway joins votes. Default false. */
  readonly joinsVotes?: boolean;
  /** Default: all pipelines may be in it. */
  readonly activeMode?: ActiveMode;
  readonly nowMs: number;
}

/** What changes from tick to tick of one pipeline: control state, forecaster and operators' settings. */
export class PipelineControl {
  readonly model: ModelInUse;
  #epoch: number;
  #settings: OperatorSettings;
  #pipeline: Pipeline;
  readonly #machineCores: number | null;
  readonly #joinsVotes: boolean;
  readonly #activeMode: ActiveMode | undefined;
  /** Where in a period this pipeline has its turn: what all do every so often they don't do at once. */
  readonly #phase: number;
  readonly #forecaster: LoadForecaster;
  #state: ControlState;
  /** Stages that a switcher ever connected for. */
  #switched: ReadonlySet<string>;
  #openedAtMs: number;
  #newest: LoadSample | null = null;
  /** Since the last tick. */
  #answered: readonly AccuracyEstimate[] = [];
  #revision = 0;

  constructor(options: PipelineControlOptions) {
    const { pipeline, stored, epoch } = options;
    this.#pipeline = pipeline;
    this.#epoch = epoch;
    this.#machineCores = options.machineCores;
    this.#joinsVotes = options.joinsVotes ?? false;
    this.#activeMode = options.activeMode;
    this.#settings = this.#settingsOf(stored, options.nowMs);
    this.model = new ModelInUse(options.bundledModel ?? null, options.ownModel ?? null);
    this.#phase = seedOf(formatKey(pipeline.key), 0);
    const phaseSeconds = this.#phase % FIT_EVERY_SECONDS;
    this.#forecaster = LoadForecaster.restore(
      stored?.forecaster ?? null,
      { network: this.model.network, phaseSeconds },
      options.cells,
    );
    this.#state = stored?.control ?? initialState(epoch);
    this.#openedAtMs = options.nowMs;
    this.#switched = assignedStages(pipeline, this.#state);
  }

  get epoch(): number {
    return this.#epoch;
  }

  get settings(): OperatorSettings {
    return this.#settings;
  }

  get pipeline(): Pipeline {
    return this.#pipeline;
  }

  /**
   * Goes on with another pipeline of the same name: what was learnt of its load, planned and set stays, as far as it has a place there.
   */
  replace(pipeline: Pipeline, nowMs: number): void {
    if (formatKey(pipeline.key) !== formatKey(this.#pipeline.key))
      throw new Error(`${formatKey(this.#pipeline.key)} can't be replaced by ${formatKey(pipeline.key)}`);
    this.#pipeline = pipeline;
    this.settings.adopt(pipeline, nowMs);
    this.touch();
  }

  get decisionId(): string | null {
    return this.#state.decisionId;
  }

  /** Those whose replicas do not come. */
  stuckStages(nowMs: number): readonly string[] {
    return stuckStages(this.#pipeline, this.#state.actuations, nowMs);
  }

  /** Time of the newest load sample that was ever taken; null: none was. */
  get newestLoadAtMs(): number | null {
    return this.#forecaster.newestAtMs;
  }

  get rejectedSamples(): number {
    return this.#forecaster.rejectedSamples;
  }

  /** Of the forecaster's horizons. */
  get forecastStatus(): ReturnType<LoadForecaster["status"]> {
    return this.#forecaster.status();
  }

  /** How far the 0.95 quantile of late was from being kept in 0.95 of the cases, at the worst horizon. */
  get miscalibration(): number {
    return this.#forecaster.miscalibration;
  }

  setModel(own: StoredModel): void {
    this.model.replace(own);
    this.#forecaster.setNetwork(this.model.network);
    this.touch();
  }

  /** Seconds of the last three weeks whose load is known. */
  get knownSeconds(): number {
    return this.#forecaster.knownSeconds;
  }

  /** Ten-second cells of the load later than the one of this index, as far as they are in memory. */
  cellsAfter(index: number): readonly LoadCell[] {
    return this.#forecaster.cellsAfter(index);
  }

  /** Changes whenever there may be something new to store. */
  get revision(): number {
    return this.#revision;
  }

  touch(): void {
    this.#revision += 1;
  }

  /** What was answered, by combination of variants: the next tick takes it. */
  observeAnswers(answered: readonly AccuracyEstimate[]): void {
    if (answered.length > 0) this.#answered = [...this.#answered, ...answered];
  }

  /** Learns of the load without deciding anything: what a follower of the leader does. */
  observe(samples: readonly LoadSample[], nowMs: number, staleAfterMs = LOAD_STALE_AFTER_MS): void {
    for (const sample of samples) this.#forecaster.observe(sample);
    this.#newest = newestSample(this.#newest, samples, nowMs, staleAfterMs);
    if (samples.length > 0) this.touch();
  }

  /**
   * Goes on from where another process stopped, as its successor. What the forecaster learnt here stays. What it throws leaves
   * everything as it was.
   *
   * @param stored null: nothing is known of it; what this process knows stays.
   * @param epoch above that of the other.
   */
  takeOver(stored: StoredPipeline | null, epoch: number, nowMs: number): void {
    const { pipeline } = this;
    const settings = stored ? this.#settingsOf(stored, nowMs) : this.#settings;
    const state = stored ? (stored.control ?? initialState(epoch)) : this.#state;
    const switched = assignedStages(pipeline, state);
    this.#epoch = epoch;
    this.#settings = settings;
    this.#state = state;
    this.#switched = switched;
    this.#openedAtMs = nowMs;
    this.#answered = [];
    this.touch();
  }

  /** Variants that may not be served now. */
  findLeftOut(nowMs: number): readonly LeftOutVariant[] {
    return findLeftOut(this.#state, this.pipeline, nowMs);
  }

  /**
   * One tick at `nowMs`. What it throws leaves the state as it was.
   *
   * @param staleAfterMs a sample that is older is not the load now.
   */
  tick(
    samples: readonly LoadSample[],
    switchers: readonly SwitcherView[],
    nowMs: number,
    live: LiveInput = NO_LIVE,
    staleAfterMs = LOAD_STALE_AFTER_MS,
  ): PipelineBoard {
    this.observe(samples, nowMs, staleAfterMs);
    const result = tick(this.#state, this.#input(this.#state, switchers, nowMs, live, staleAfterMs), nowMs);
    this.#answered = [];
    if (switchers.some(({ stage }) => !this.#switched.has(stage)))
      this.#switched = new Set([...this.#switched, ...switchers.map(({ stage }) => stage)]);
    this.#state = result.state;
    this.touch();
    return result.board;
  }

  /**
   * Begins anew where it is the control state that ticks throw for: with another one they must not. What operators set and what was learnt of
   * the load stays.
   *
   * @returns what ticks can't go on from; null: they throw for something else, or not at all, and everything stays as it is.
   */
  beginAnew(
    switchers: readonly SwitcherView[],
    nowMs: number,
    live: LiveInput,
    staleAfterMs = LOAD_STALE_AFTER_MS,
  ): StoredPipeline | null {
    const fails = (state: ControlState): boolean => {
      try {
        tick(state, this.#input(state, switchers, nowMs, live, staleAfterMs), nowMs);
        return false;
      } catch {
        return true;
      }
    };
    const input = this.#input(initialState(this.epoch), switchers, nowMs, live, staleAfterMs);
    const anew = stateAnew(this.#state, input, nowMs);
    if (!fails(this.#state) || fails(anew)) return null;
    const before = this.snapshot(nowMs);
    this.#state = anew;
    this.touch();
    return before;
  }

  snapshot(nowMs: number): StoredPipeline {
    return {
      epoch: this.epoch,
      control: this.#state,
      forecaster: this.#forecaster.snapshot(),
      settings: this.settings.snapshot(nowMs),
    };
  }

  #settingsOf(stored: StoredPipeline | null, nowMs: number): OperatorSettings {
    const settings = new OperatorSettings(this.#pipeline, this.#activeMode);
    settings.restore(stored?.settings, nowMs);
    return settings;
  }

  #input(
    state: ControlState,
    switchers: readonly SwitcherView[],
    nowMs: number,
    live: LiveInput,
    staleAfterMs: number,
  ): TickInput {
    const isFresh = this.#newest !== null && Math.abs(nowMs - this.#newest.atMs) <= staleAfterMs;
    return {
      pipeline: this.pipeline,
      mode: this.settings.mode,
      forecast: this.#forecaster.forecast(nowMs, planningHorizonMs(state, this.pipeline), staleAfterMs),
      load: isFresh ? this.#newest : null,
      switchers,
      ...live,
      readyReplicas: withoutSwitchers(live.readyReplicas, this.#switched, switchers, nowMs - this.#openedAtMs),
      answered: this.#answered,
      pins: this.settings.stagePins(nowMs),
      tuning: this.settings.tuning(nowMs) ?? UNTUNED,
      limits: { cores: null, machineCores: this.#machineCores },
      joinsVotes: this.#joinsVotes,
      planPhaseMs: this.#phase % this.pipeline.intervalMs,
      epoch: this.epoch,
    };
  }
}
