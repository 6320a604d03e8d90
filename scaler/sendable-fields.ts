import type { LogFields } from "./grpc-call.ts";

const MOST_CAUSES = 5;

/** Of an error what the log shows. */
interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code?: string | number;
  readonly cause?: SentError;
}

/** Fields of a log line for another thread: an error as such may hold what can't be sent, and would lose its class on the way. */
export function sendable(fields: LogFields): LogFields {
  return "err" in fields ? { ...fields, err: sentError(fields["err"], MOST_CAUSES) } : fields;
}

/** The fields as the other thread logs them. */
export function received(fields: LogFields): LogFields {
  // With a class the logger would call the error by that.
  return "err" in fields ? { ...fields, err: Object.assign(Object.create(null), fields["err"]) } : fields;
}

function sentError(thrown: unknown, causes: number): SentError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack } = error;
  const code: unknown = "code" in error ? error.code : undefined;
  return {
    name,
    message,
    stack,
    ...((typeof code === "string" || typeof code === "number") && { code }),
    ...(error.cause instanceof Error && causes > 0 && { cause: sentError(error.cause, causes - 1) }),
  };
}
