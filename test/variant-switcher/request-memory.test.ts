import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { BufferPool } from "../../variant-switcher/buffer-pool.ts";
import { GarbageValve } from "../../variant-switcher/garbage-valve.ts";
import { InFlightBytes } from "../../variant-switcher/in-flight-bytes.ts";
import { RequestMemory } from "../../variant-switcher/request-memory.ts";

const BODY_BYTES = 8192;

describe("RequestMemory", () => {
  for (const { pool, leaves } of [
    { pool: new BufferPool(BODY_BYTES), leaves: 5000 },
    { pool: new BufferPool(1), leaves: 5000 + BODY_BYTES },
  ])
    it(`leaves ${leaves} bytes behind`, () => {
      const left: number[] = [];
      class CountingValve extends GarbageValve {
        override passed(bytes: number): void {
          left.push(bytes);
        }
      }
      const inFlight = new InFlightBytes(() => 10_000);
      const memory = new RequestMemory({ inFlight, buffers: pool, valve: new CountingValve() });
      assert.equal(memory.charge(BODY_BYTES), null);
      memory.bodyOf(BODY_BYTES);
      memory.leaves(5000 - BODY_BYTES);
      memory.release();
      memory.release();
      assert.deepEqual(left, [leaves]);
      assert.equal(inFlight.take(10_000, 0), null);
    });
});
