import { status } from "@grpc/grpc-js";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { Tracer } from "../runtime/tracing/tracing.ts";

/** Spans of what a scaler does: the ticks of its pipelines and the calls that it answers. Each is a trace of its own. */
export class ScalerSpans {
  readonly #tracer: Tracer;
  /** Pipelines whose running tick has taken another decision. */
  readonly #decided = new Set<string>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The tick that runs has decided something else than the one before. */
  noteDecision(key: PipelineKey): void {
    this.#decided.add(formatKey(key));
  }

  /** A tick has ended just now. */
  recordTick(key: PipelineKey, seconds: number, isOk: boolean): void {
    const pipeline = formatKey(key);
    const attributes = { "variscale.pipeline": pipeline, "variscale.decided": this.#decided.delete(pipeline) };
    const startMs = performance.now() - 1000 * seconds;
    const span = this.#tracer.startSpan("tick", { kind: "internal", attributes, startMs }, null);
    span.end({ problem: isOk ? null : "the tick failed; the log says why" });
  }

  /** A call has ended just now: one of KEDA's, or a switcher's stream. */
  recordCall(method: string, code: number, seconds: number): void {
    const attributes = { "rpc.system": "grpc", "rpc.method": method, "rpc.grpc.status_code": code };
    const startMs = performance.now() - 1000 * seconds;
    const span = this.#tracer.startSpan(method, { kind: "server", attributes, startMs }, null);
    span.end({ problem: code === status.OK ? null : (status[code] ?? String(code)) });
  }

  /** Sends what is left. */
  close(): Promise<void> {
    return this.#tracer.close();
  }
}
