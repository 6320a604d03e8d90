import type { Logger } from "pino";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";

export const PROCESS_CONDITION_TYPES = [
  "Accepted",
  "Ticking",
  "LoadSourceAnswering",
  "LoadSourceWithoutWarnings",
  "StateSaved",
  "StateUsable",
  "HistorySaved",
  "ForecastModelStored",
  "ForecastModelTrained",
  "ForecastNetworkComputed",
  "AuditLogWritten",
  "KubernetesWatched",
  "ScaledObjectsFound",
  "EventsWritten",
  "StatusWritten",
  "CertificatesCurrent",
  "LeaderKnown",
  "BoardShared",
  "TakenOver",
] as const;
export type ProcessConditionType = (typeof PROCESS_CONDITION_TYPES)[number];

/** How this process does its work for one pipeline, beside the conditions of the pipeline itself. */
export interface ProcessCondition {
  readonly type: ProcessConditionType;
  readonly status: boolean;
  readonly message: string;
  readonly sinceMs: number;
}

/** What works and what does not, by pipeline. A change is logged once, not every time that it is found again. */
export class ProcessConditions {
  readonly #logger: Logger;
  readonly #byPipeline = new Map<string, Map<ProcessConditionType, ProcessCondition>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param problem null: it works. */
  set(key: PipelineKey, type: ProcessConditionType, problem: string | null, nowMs: number): void {
    const pipeline = formatKey(key);
    let conditions = this.#byPipeline.get(pipeline);
    if (conditions === undefined) {
      conditions = new Map<ProcessConditionType, ProcessCondition>();
      this.#byPipeline.set(pipeline, conditions);
    }
    const before = conditions.get(type);
    const status = problem === null;
    if (before?.status === status && before.message === (problem ?? "")) return;
    const changed = before?.status !== status;
    conditions.set(type, { type, status, message: problem ?? "", sinceMs: changed ? nowMs : before.sinceMs });
    if (!changed || (before === undefined && status)) return;
    const fields = { namespace: key.namespace, pipeline: key.name, condition: type };
    if (status) this.#logger.info(fields, "works again");
    else this.#logger.warn(fields, problem);
  }

  /** Null: it works, as far as is known. */
  problem(key: PipelineKey, type: ProcessConditionType): string | null {
    const found = this.#byPipeline.get(formatKey(key))?.get(type);
    return found && !found.status ? found.message : null;
  }

  /** Of a pipeline that is gone. */
  forget(key: PipelineKey): void {
    this.#byPipeline.delete(formatKey(key));
  }

  of(key: PipelineKey): readonly ProcessCondition[] {
    return [...(this.#byPipeline.get(formatKey(key))?.values() ?? [])];
  }
}
