import assert from "node:assert/strict";
import { Session } from "node:inspector/promises";
import { it } from "mocha";
import type { Kinds } from "./texts.ts";

/** Measures of what some code did, which are the same on any machine, however busy that is. */
export interface Work {
  /** How often blocks of code were entered. */
  readonly steps: number;
  /** Bytes that were allocated, on V8's heap and in Buffers, and copied between Buffers. */
  readonly bytes: number;
}

/**
 * Work that has nothing to do with the size of an input: modules that are loaded late, timers, connections; and what V8 counts of large lists alone, which
 * is more in newer versions of Node.
 */
const FREE: Work = { steps: 300_000, bytes: 8_000_000 };

/**
 * Work in proportion to the input is four times as much for four times the input, and up to seven times where lists grow by leaps. Work in proportion
 * to the square is 16 times as much.
 */
const MOST_RATIO = 8;

/** Counts what code does, by V8's own means. What regular expressions do within V8 is not in it. */
export class WorkCounter {
  readonly #session = new Session();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.disconnect();
  }

  /** Makes one test of a reader for all kinds of its input. */
  test<T>(what: string, kinds: Kinds<T>, read: (input: T) => unknown, size = 32 * 1024): void {
    it(what, async () => {
      for (const [kind, make] of Object.entries(kinds)) await this.assertProportional(make, read, { size, what: kind });
    });
  }

  /**
   * Asserts that the work of `read` grows in proportion to its input: four times as much of it takes four times as much work, and some. An input
   * that is refused is read as well; a stack that overflows is no refusal.
   */
  async assertProportional<T>(
    make: (size: number) => T,
    read: (input: T) => unknown,
    { size, what }: { readonly size: number; readonly what: string },
  ): Promise<void> {
    const inputs = [make(size), make(4 * size)] as const;
    await readOrRefuse(read, inputs[0]);
    const small = await this.#count(() => readOrRefuse(read, inputs[0]));
    const large = await this.#count(() => readOrRefuse(read, inputs[1]));
    for (const kind of ["steps", "bytes"] as const) {
      const said = `${what}: ${small[kind]} ${kind} for ${size}, ${large[kind]} for four times as much`;
      assert.ok(large[kind] <= MOST_RATIO * small[kind] + FREE[kind], said);
    }
  }

  async #count(run: () => unknown): Promise<Work> {
    const buffers = countBufferBytes();
    try {
      // Counters begin at 0 whenever they are taken.
      await this.#session.post("Profiler.takePreciseCoverage");
      await this.#session.post("HeapProfiler.startSampling", {
        samplingInterval: 4096,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      });
      await run();
      const bytes = buffers.stop();
      const { profile } = await this.#session.post("HeapProfiler.stopSampling");
      const { result } = await this.#session.post("Profiler.takePreciseCoverage");
      const ranges = result.flatMap(({ functions }) => functions.flatMap(one => one.ranges));
      return { steps: ranges.reduce((sum, { count }) => sum + count, 0), bytes: bytes + sumSizes(profile.head) };
    } finally {
      buffers.stop();
    }
  }
}

async function readOrRefuse<T>(read: (input: T) => unknown, input: T): Promise<void> {
  try {
    await read(input);
  } catch (error) {
    // These are no refusals: an assertion of the test itself, a mistake of the code, a stack that overflows.
    const mistakes = [assert.AssertionError, TypeError, ReferenceError, RangeError];
    if (!(error instanceof Error) || mistakes.some(kind => error instanceof kind)) throw error;
  }
}

interface Allocations {
  readonly selfSize: number;
  readonly children: readonly Allocations[];
}

function sumSizes({ selfSize, children }: Allocations): number {
  return children.reduce((sum, child) => sum + sumSizes(child), selfSize);
}

/** The memory of Buffers is not on V8's heap. */
function countBufferBytes(): { readonly stop: () => number } {
  const { concat, allocUnsafe, allocUnsafeSlow, alloc } = Buffer;
  const { copy } = Buffer.prototype;
  let bytes = 0;
  const countMade = <A extends unknown[]>(make: (...given: A) => Buffer<ArrayBuffer>) =>
    function (this: unknown, ...given: A): Buffer<ArrayBuffer> {
      const buffer = make.apply(this, given);
      bytes += buffer.length;
      return buffer;
    };
  Object.assign(Buffer, {
    concat: countMade(concat),
    alloc: countMade(alloc),
    allocUnsafe: countMade(allocUnsafe),
    allocUnsafeSlow: countMade(allocUnsafeSlow),
  });
  Buffer.prototype.copy = function (...given: Parameters<typeof copy>) {
    const copied = copy.apply(this, given);
    bytes += copied;
    return copied;
  };
  return {
    stop: () => {
      Object.assign(Buffer, { concat, alloc, allocUnsafe, allocUnsafeSlow });
      Buffer.prototype.copy = copy;
      return bytes;
    },
  };
}
