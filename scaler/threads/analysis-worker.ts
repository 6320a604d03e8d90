/** The thread that explains decisions, so that what people ask never delays a tick or an answer to KEDA. */
import { parentPort } from "node:worker_threads";
import { analyseDecision } from "../../explanation/analyse-decision.ts";
import type { AnalysisReply, AnalysisRequest } from "./analysis-messages.ts";

const port = parentPort;
port?.on("message", ({ id, pipeline, decision }: AnalysisRequest) => {
  port.postMessage(replyTo(id, pipeline, decision));
});

function replyTo(
  id: number,
  pipeline: AnalysisRequest["pipeline"],
  decision: AnalysisRequest["decision"],
): AnalysisReply {
  try {
    return { kind: "analysed", id, analysis: analyseDecision(pipeline, decision) };
  } catch (error) {
    return { kind: "failed", id, message: error instanceof Error ? error.message : String(error) };
  }
}
