import type { handleUnaryCall, ServiceError, StatusObject } from "@grpc/grpc-js";
import { Metadata, status } from "@grpc/grpc-js";
import { VariscaleError } from "../domain/errors.ts";
import { grpcStatusOf } from "../runtime/error-status.ts";

/** Told how every call went: its method, gRPC code and duration. */
export type CallObserver = (method: string, code: number, seconds: number) => void;

/** By name; `err` is what was thrown. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What of a logger calls are told to. */
export interface CallLog {
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export interface CallContext {
  readonly observe: CallObserver;
  readonly logger: CallLog;
}

/** A unary handler that answers synchronously, from memory; what it throws becomes the call's status and nothing else. */
export function unary<Request, Response>(
  method: string,
  context: CallContext,
  answer: (request: Request) => Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const startMs = performance.now();
    let code: number = status.OK;
    try {
      callback(null, answer(call.request));
    } catch (thrown) {
      const error = toStatus(thrown, method, context.logger);
      code = error.code;
      callback(error as ServiceError);
    }
    context.observe(method, code, (performance.now() - startMs) / 1000);
  };
}

/** The status that tells the other side what was thrown; an unexpected error is logged, and its text stays here. */
export function toStatus(thrown: unknown, method: string, logger: CallLog): StatusObject {
  const error = VariscaleError.from(thrown);
  if (error.code === "internal") logger.error({ err: thrown, method }, "call failed");
  const details = error.code === "internal" ? "internal error: see the scaler's log" : error.message;
  return { code: grpcStatusOf(error.code), details: shortened(details), metadata: new Metadata() };
}

/** Cut so that the header that carries it stays small, and without halves of surrogate pairs, which can't be encoded in it. */
function shortened(text: string): string {
  const short = text.length > 1000 ? `${text.slice(0, 999)}…` : text;
  return short.replaceAll(/\p{Surrogate}/gu, "\uFFFD");
}
