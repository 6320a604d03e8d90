import type { DropReason, Failure } from "./outcome.ts";
import type { RowScope } from "./request-scope.ts";

/** The part of a request that one voter has: where it ends, the request and the other voters go on. */
export class VoterScope implements RowScope {
  waitsFor: DropReason = "deadline";
  /** Resolves when this voter or the request ends without a result; never rejects. */
  readonly ended: Promise<Failure>;
  readonly #request: RowScope;
  readonly #reservedMs: number;
  #failure: Failure | null = null;
  #resolve: (failure: Failure) => void = () => {};

  /** @param reservedMs of the request's time, its end, that this voter's calls must leave. */
  constructor(request: RowScope, reservedMs: number) {
    this.#request = request;
    this.#reservedMs = reservedMs;
    const own = new Promise<Failure>(resolve => {
      this.#resolve = resolve;
    });
    this.ended = Promise.race([own, request.ended]);
  }

  get id(): string {
    return this.#request.id;
  }

  get span(): RowScope["span"] {
    return this.#request.span;
  }

  get failure(): Failure | null {
    return this.#failure ?? this.#request.failure;
  }

  /** Not of this voter alone: what it runs beside a call that failed ends by itself. */
  get unwanted(): AbortSignal {
    return this.#request.unwanted;
  }

  remainingMs(): number {
    return this.#request.remainingMs() - this.#reservedMs;
  }

  end(failure: Failure): void {
    this.#failure ??= failure;
    this.#resolve(failure);
  }
}
