import type { handleUnaryCall, sendUnaryData, UntypedServiceImplementation } from "@grpc/grpc-js";

/** A call of one message that gets one message for an answer. */
export interface UnaryCall<Request> {
  readonly request: Request;
  /** What is left of the client's deadline, at least 0.001; null: it set none. */
  readonly timeoutMs: number | null;
  /** Of its metadata, by its name in lower case; not for those in `-bin`. Null: there is none. */
  header(name: string): string | null;
  /** Calls back when nobody waits for the answer any more. */
  onGone(callback: () => void): void;
}

/** Answers once, whether at once or later. */
export type UnaryHandler<Request, Response> = (call: UnaryCall<Request>, answer: sendUnaryData<Response>) => void;

/** By the names of a service's methods. */
// biome-ignore lint/suspicious/noExplicitAny: as grpc-js' own type of handlers
export type UnaryHandlers = Readonly<Record<string, UnaryHandler<any, any>>>;

/** Handlers of the same methods as these of grpc-js'. */
export type UnaryHandlersOf<Handlers> = {
  readonly [Name in keyof Handlers]: Handlers[Name] extends handleUnaryCall<infer Request, infer Response>
    ? UnaryHandler<Request, Response>
    : never;
};

/** The same handlers as grpc-js calls them. */
export function forGrpcJs(handlers: UnaryHandlers): UntypedServiceImplementation {
  return Object.fromEntries(Object.entries(handlers).map(([name, handle]) => [name, adapted(handle)]));
}

function adapted<Request, Response>(handle: UnaryHandler<Request, Response>): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const leftMs = Number(call.getDeadline()) - Date.now();
    handle(
      {
        request: call.request,
        timeoutMs: Number.isFinite(leftMs) ? Math.max(0.001, leftMs) : null,
        header: name => {
          const [value] = call.metadata.get(name);
          return value === undefined ? null : String(value);
        },
        onGone: onGone => call.once("cancelled", onGone),
      },
      callback,
    );
  };
}
