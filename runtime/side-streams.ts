import type { Server, ServerWritableStream, UntypedHandleCall, UntypedServiceImplementation } from "@grpc/grpc-js";

type Stream = ServerWritableStream<unknown, unknown>;

/**
 * The open streams of services that come from libraries (health, reflection). Left alone, each would keep the server from shutting
 * down for as long as its client likes.
 */
export class SideStreams {
  readonly #open = new Set<Stream>();

  /** Where such a service registers itself: at the server, but its streams are known here. */
  registrar(server: Server): Pick<Server, "addService"> {
    return {
      addService: (definition, handlers) => {
        const tracked: UntypedServiceImplementation = {};
        for (const [name, handler] of Object.entries(handlers)) tracked[name] = this.#track(handler);
        server.addService(definition, tracked);
      },
    };
  }

  /** Ends all of them with OK. */
  end(): void {
    for (const stream of this.#open) stream.end();
    this.#open.clear();
  }

  #track(handler: UntypedHandleCall): UntypedHandleCall {
    const handle = handler as (call: Stream, callback: unknown) => void;
    return (call: Stream, callback?: unknown) => {
      // Only calls whose answer is a stream come without a callback.
      if (callback === undefined) this.#remember(call);
      handle(call, callback);
    };
  }

  #remember(stream: Stream): void {
    this.#open.add(stream);
    for (const event of ["cancelled", "close", "finish"]) stream.on(event, () => this.#open.delete(stream));
  }
}
