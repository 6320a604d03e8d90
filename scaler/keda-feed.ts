import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { Boards } from "./board-store.ts";
import type { AnsweredBoard, AnsweredPipeline } from "./keda-answer.ts";
import type { Known } from "./keda-messages.ts";
import type { PipelineCatalogue } from "./pipeline-catalogue.ts";

export interface KedaFeedOptions {
  readonly catalogue: PipelineCatalogue<AnsweredPipeline>;
  readonly boards: Boards<AnsweredBoard>;
  /** Called when there is something to take, and not again before it was taken. */
  readonly onChange: () => void;
}

/** What has changed of what KEDA is answered from since it was taken last; at first that is all of it. */
export class KedaFeed {
  readonly #options: KedaFeedOptions;
  /** By `namespace/name`. */
  readonly #pipelines = new Map<string, PipelineKey>();
  readonly #boards = new Map<string, PipelineKey>();

  constructor(options: KedaFeedOptions) {
    this.#options = options;
    const { catalogue, boards } = options;
    for (const { key } of catalogue.all()) this.#pipelines.set(formatKey(key), key);
    catalogue.watch(key => this.#change(this.#pipelines, key));
    boards.subscribe(null, ({ key }) => {
      // That of a pipeline which is still to come goes with it.
      if (catalogue.find(key)) this.#change(this.#boards, key);
    });
  }

  get isEmpty(): boolean {
    return this.#pipelines.size + this.#boards.size === 0;
  }

  take(): Known {
    const { catalogue, boards } = this.#options;
    const changed = [...this.#pipelines.values()];
    const found = changed.flatMap(key => catalogue.find(key) ?? []);
    const gone = changed.filter(key => !catalogue.find(key));
    const keys = new Map([...this.#pipelines, ...this.#boards]);
    const there = [...keys.values()].filter(key => catalogue.find(key));
    this.#pipelines.clear();
    this.#boards.clear();
    return {
      pipelines: found.map(pipelineOf),
      gone,
      boards: there.flatMap(key => boards.latest(key) ?? []).map(boardOf),
    };
  }

  #change(changed: Map<string, PipelineKey>, key: PipelineKey): void {
    const { isEmpty } = this;
    changed.set(formatKey(key), key);
    if (isEmpty) this.#options.onChange();
  }
}

/** Nothing but what is answered: the rest of it is large. */
function pipelineOf({ key, loadSource, stages }: AnsweredPipeline): AnsweredPipeline {
  return { key, loadSource, stages: stages.map(({ name, replicas: { min } }) => ({ name, replicas: { min } })) };
}

function boardOf({ key, atMs, plan, stages }: AnsweredBoard): AnsweredBoard {
  const answered = stages.map(({ stage, metricValue, active, replicasReady }) => ({
    stage,
    metricValue,
    active,
    replicasReady,
  }));
  return { key, atMs, plan: plan ? true : null, stages: answered };
}
