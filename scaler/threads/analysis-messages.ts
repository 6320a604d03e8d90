import type { Pipeline } from "../../domain/pipeline.ts";
import type { Analysis } from "../../explanation/analyse-decision.ts";
import type { MadePlan } from "../../explanation/explain-decision.ts";

/** Plain data for the thread that explains. */
export interface AnalysisRequest {
  readonly id: number;
  readonly pipeline: Pipeline;
  readonly decision: MadePlan;
}

export type AnalysisReply =
  | { readonly kind: "analysed"; readonly id: number; readonly analysis: Analysis }
  | { readonly kind: "failed"; readonly id: number; readonly message: string };
