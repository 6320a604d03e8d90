/**
 * The one error class of the project. A message says what was wrong, with which value, against which rule, and what to do.
 * Expected outcomes (infeasible, no data, not ready) are values, never errors.
 */
export type ErrorCode =
  | "invalid_argument"
  | "not_found"
  | "permission_denied"
  | "failed_precondition"
  | "resource_exhausted"
  | "deadline_exceeded"
  | "unavailable"
  | "aborted"
  | "internal";

export class VariscaleError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "VariscaleError";
    this.code = code;
  }

  /** Turns whatever was thrown into a VariscaleError; the original stays as `cause`. */
  static from(thrown: unknown, code: ErrorCode = "internal"): VariscaleError {
    if (thrown instanceof VariscaleError) return thrown;
    return new VariscaleError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
  }
}
