import type { Registry } from "prom-client";
import type { TlsFolder } from "../runtime/tls-folder.ts";
import { addTlsMetrics } from "../runtime/tls-metrics.ts";
import type { Clock } from "./clock.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { PipelineSetPart } from "./pipeline-set.ts";
import type { ProcessConditions, ProcessConditionType } from "./process-conditions.ts";

/** What the process does for all pipelines at once, or fails to: a condition of each of them, also of those that come later. */
export class SharedCondition implements PipelineSetPart {
  readonly #type: ProcessConditionType;
  readonly #conditions: ProcessConditions;
  readonly #clock: Clock;
  readonly #controls = new Set<PipelineControl>();
  /** Undefined: nothing is known. */
  #problem: string | null | undefined;

  constructor(type: ProcessConditionType, conditions: ProcessConditions, clock: Clock) {
    this.#type = type;
    this.#conditions = conditions;
    this.#clock = clock;
  }

  /**
   * Goes through the pipelines only where something changed: it may be told as often as there are pipelines.
   *
   * @param problem null: it works.
   */
  tell(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    for (const control of this.#controls) this.#set(control, problem);
  }

  add(control: PipelineControl): void {
    this.#controls.add(control);
    if (this.#problem !== undefined) this.#set(control, this.#problem);
  }

  remove(control: PipelineControl): void {
    this.#controls.delete(control);
  }

  #set({ pipeline: { key } }: PipelineControl, problem: string | null): void {
    this.#conditions.set(key, this.#type, problem, this.#clock.nowMs());
  }
}

/** The condition that says what is wrong with the certificates. */
export function followCertificates(
  tls: TlsFolder | null,
  prometheus: Registry,
  conditions: ProcessConditions,
  clock: Clock,
): SharedCondition {
  const current = new SharedCondition("CertificatesCurrent", conditions, clock);
  if (tls === null) return current;
  addTlsMetrics(prometheus, tls);
  tls.watch(problem => current.tell(problem));
  return current;
}
