import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A scavenge of what two megabytes of requests leave behind takes a fraction of a millisecond. */
const BYTES_BETWEEN = 2 * 1024 * 1024;

/**
 * By itself glibc gives free memory at the end of its heap back to the kernel from 128 KiB on, and the bodies that come next lie on pages that
 * the kernel has to clear anew. Once a larger block was freed, glibc keeps up to twice as much, and takes blocks up to that size from its
 * heap. A collection frees what was received since the last one, and as much again that it was read into: with a block of a megabyte each
 * request paid for five pages. Whoever loads a larger model has freed a larger block by then.
 */
const LARGE_BLOCK_BYTES = 2 * 1024 * 1024;

type Collect = (options: { readonly type: "minor" }) => void;

/**
 * Frees the buffers of past requests in time. The engine looks at its own small heap and lets up to 32 MiB of buffers outside
 * of it pile up before it collects them, which is more than the whole process needs otherwise.
 */
export class GarbageValve {
  readonly #collect: Collect | null = minorCollector();
  #bytes = 0;

  constructor() {
    // In all of the process, who collects frees the buffers too: of so few it is quickly done, and a thread for it takes a session's core.
    setFlagsFromString("--no-concurrent-array-buffer-sweeping");
    new ArrayBuffer(LARGE_BLOCK_BYTES);
    this.#collect?.({ type: "minor" });
  }

  /** So many bytes were left behind. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < BYTES_BETWEEN) return;
    this.#bytes = 0;
    this.#collect?.({ type: "minor" });
  }
}

/** Null where the engine does not let itself be asked: then memory is merely higher. */
function minorCollector(): Collect | null {
  try {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    return typeof collect === "function" ? (collect as Collect) : null;
  } catch {
    return null;
  }
}
