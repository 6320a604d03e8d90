import type { ErrorCode } from "../domain/errors.ts";

/**
 * How an error code shows on the wire: the only place that says so. The gRPC numbers are those of the gRPC status codes,
 * written out so that a process without gRPC does not load it.
 */
const STATUS: Readonly<Record<ErrorCode, { readonly http: number; readonly grpc: number }>> = {
  invalid_argument: { http: 400, grpc: 3 },
  deadline_exceeded: { http: 504, grpc: 4 },
  not_found: { http: 404, grpc: 5 },
  permission_denied: { http: 403, grpc: 7 },
  resource_exhausted: { http: 503, grpc: 8 },
  failed_precondition: { http: 412, grpc: 9 },
  aborted: { http: 409, grpc: 10 },
  internal: { http: 500, grpc: 13 },
  unavailable: { http: 503, grpc: 14 },
};

export function httpStatusOf(code: ErrorCode): number {
  return STATUS[code].http;
}

export function grpcStatusOf(code: ErrorCode): number {
  return STATUS[code].grpc;
}
