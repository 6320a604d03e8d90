import type { ExplainedDecision } from "../dashboard/live-view.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { planOfRecord } from "./decision-record.ts";
import type { Journal } from "./journal.ts";
import type { AnalysisThread } from "./threads/analysis-thread.ts";

export interface DecisionSources {
  readonly journal: Journal;
  readonly analyses: AnalysisThread;
}

/**
 * One decision, with what `variscale explain` says of it.
 *
 * @throws VariscaleError not_found where it is not among those in memory, unavailable where the explanation takes too long.
 */
export async function explainedDecision(
  { journal, analyses }: DecisionSources,
  pipeline: Pipeline,
  decisionId: string,
): Promise<ExplainedDecision> {
  const found = journal.decision(pipeline.key, decisionId);
  if (!found) {
    const rule = "it is older than those in memory, or was made before this scaler was started";
    throw new VariscaleError("not_found", `there is no decision \`${decisionId.slice(0, 100)}\`: ${rule}`);
  }
  const { record, before } = found;
  const { corrections, given } = record;
  const plan = planOfRecord(record);
  const made = { plan, corrections, given, before: before && planOfRecord(before) };
  return {
    decisionId: record.decisionId,
    atMs: Date.parse(record.at),
    mode: record.mode,
    loadRps: record.load?.rateRps ?? null,
    plan,
    given,
    replicas: Object.entries(record.replicas).map(([stage, counts]) => ({ stage, ...counts })),
    analysis: await analyses.analyse(`${formatKey(pipeline.key)} ${record.decisionId}`, pipeline, made),
  };
}
