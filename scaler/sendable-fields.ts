import type { LogFields } from "./grpc-call.ts";

/**
 * Fields of a log line for another thread. Of an error what the log shows of it: the rest may be what can't be sent, and its class would get lost.
 */
export function sendable(fields: LogFields): LogFields {
  const { err } = fields;
  if (err === undefined) return fields;
  const error = err instanceof Error ? err : new Error(String(err));
  return { ...fields, err: { type: error.constructor.name, message: error.message, stack: error.stack } };
}
