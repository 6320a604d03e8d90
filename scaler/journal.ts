import type { Logger } from "pino";
import type { OperatorPin } from "../domain/operator-pin.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { AuditLog } from "./audit-log.ts";
import type { DecisionRecord } from "./decision-record.ts";
import type { OperatorTuning } from "./operator-tuning.ts";
import { type PackedText, packText, unpackText } from "./packed-text.ts";

/** Decisions kept in memory, all pipelines together, and the least for each of them. */
const MOST_DECISIONS = 1000;
const LEAST_PER_PIPELINE = 10;
const MOST_PER_PIPELINE = 500;

type Mode = "shadow" | "active";

/** Who changed something and why. */
export interface ChangeNote {
  /** What the caller said of itself: anyone who may change something can say anything. */
  readonly by: string;
  readonly reason: string;
  /** Address of the other side of the connection, and what let it in. */
  readonly from: string;
  /** Whom that one asked for, as it says itself, such as another scaler that does not lead; null: for itself. */
  readonly forwardedFor: string | null;
  readonly shown: "token" | "this_machine";
}

export type OperatorChange = ChangeNote &
  (
    | { readonly kind: "pin"; readonly pin: OperatorPin; readonly replaced: OperatorPin | null }
    | { readonly kind: "unpin"; readonly stage: string | null; readonly removed: readonly OperatorPin[] }
    | { readonly kind: "mode"; readonly mode: Mode; readonly before: Mode }
    | { readonly kind: "tuning"; readonly tuning: OperatorTuning | null; readonly replaced: OperatorTuning | null }
  );

interface KeptDecision {
  readonly decisionId: string;
  readonly text: PackedText;
}

/**
 * What was decided and done: one line of the log each, one line of the audit log, and the newest decisions in memory. Those are
 * packed: as objects, six kilobytes of text each, they would be the largest thing in the heap.
 */
export class Journal {
  readonly #audit: AuditLog | null;
  readonly #logger: Logger;
  readonly #pipelines: () => number;
  /** Oldest first. */
  readonly #decisions = new Map<string, KeptDecision[]>();

  /** @param pipelines how many there are now. */
  constructor(pipelines: () => number, audit: AuditLog | null, logger: Logger) {
    this.#audit = audit;
    this.#logger = logger;
    this.#pipelines = pipelines;
  }

  decide(record: DecisionRecord): void {
    const { kind: _kind, at: _at, ...fields } = record;
    this.#logger.info({ ...fields, chosen: chosenText(record) }, "decision");
    this.#audit?.decisions.append(record);
    const key = formatKey({ namespace: record.namespace, name: record.pipeline });
    const kept = this.#decisions.get(key) ?? [];
    this.#decisions.set(key, kept);
    kept.push({ decisionId: record.decisionId, text: packText(JSON.stringify(record)) });
    const share = Math.floor(MOST_DECISIONS / Math.max(1, this.#pipelines()));
    const most = Math.min(MOST_PER_PIPELINE, Math.max(LEAST_PER_PIPELINE, share));
    if (kept.length > most) kept.splice(0, kept.length - most);
  }

  /** Of a pipeline that is gone; the audit log keeps them. */
  forget(key: PipelineKey): void {
    this.#decisions.delete(formatKey(key));
  }

  note(key: PipelineKey, event: OperatorChange, nowMs: number): void {
    const { kind, ...fields } = event;
    const where = { namespace: key.namespace, pipeline: key.name };
    this.#logger.info({ ...where, ...fields }, kind);
    this.#audit?.changes.append({ kind, at: new Date(nowMs).toISOString(), ...where, ...fields });
  }

  /** One decision and the one before it; null: it is not, or no longer, in memory. */
  decision(
    key: PipelineKey,
    decisionId: string,
  ): { readonly record: DecisionRecord; readonly before: DecisionRecord | null } | null {
    const kept = this.#decisions.get(formatKey(key)) ?? [];
    const index = kept.findLastIndex(decision => decision.decisionId === decisionId);
    const [before, found] = [kept[index - 1], kept[index]];
    return found ? { record: recordOf(found), before: before ? recordOf(before) : null } : null;
  }

  /** Newest first. @param before only what was decided before this one; null: all. None where it is not in memory. */
  decisions(key: PipelineKey, limit: number, before: string | null = null): readonly DecisionRecord[] {
    const kept = this.#decisions.get(formatKey(key)) ?? [];
    const end = before === null ? kept.length : kept.findLastIndex(({ decisionId }) => decisionId === before);
    return kept
      .slice(Math.max(0, end - limit), Math.max(0, end))
      .reverse()
      .map(recordOf);
  }
}

/** Says what was decided in a few words, as the log for people leaves objects out: `detection large×1, classification medium×2`. */
function chosenText({ plan }: DecisionRecord): string {
  return plan.stages
    .map(({ stage, parts }) => `${stage} ${parts.map(part => `${part.variant}×${part.replicas}`).join("+")}`)
    .join(", ");
}

function recordOf({ text }: KeptDecision): DecisionRecord {
  return JSON.parse(unpackText(text)) as DecisionRecord;
}
