import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { describe, it } from "mocha";
import { VariscaleError } from "../../../domain/errors.ts";
import { inflateBody } from "../../../variant-switcher/inflate-body.ts";

const MIB = 1024 * 1024;

describe("inflateBody()", () => {
  const packed = gzipSync(Buffer.alloc(4 * MIB));

  /** Gives the bytes that each of some bodies was charged for, in the order in which they were. */
  async function inflateTogether(bodies: readonly Buffer[], maxBytes: number): Promise<readonly [number, number][]> {
    const charges: [number, number][] = [];
    await Promise.allSettled(
      bodies.map((body, i) =>
        inflateBody(body, "gzip", maxBytes, bytes => {
          charges.push([i, bytes]);
          return null;
        }),
      ),
    );
    return charges;
  }

  it("inflates large bodies one after the other", async () => {
    const charges = await inflateTogether([packed, packed, packed], 8 * MIB);
    const grown = [0, 0, 0];
    const large: number[] = [];
    for (const [i, bytes] of charges) {
      grown[i] = (grown[i] ?? 0) + bytes;
      if ((grown[i] ?? 0) > MIB && large.at(-1) !== i) large.push(i);
    }
    assert.deepEqual(large.toSorted(), [0, 1, 2], "each was gone on with once");
    assert.deepEqual(grown, [4 * MIB, 4 * MIB, 4 * MIB]);
  });

  it("goes on with the next one where one is refused or broken", async () => {
    const broken = packed.subarray(0, packed.length - 8);
    const charges = await inflateTogether([broken, packed, packed], 3 * MIB);
    assert.deepEqual([...new Set(charges.map(([i]) => i))].toSorted(), [0, 1, 2]);
    assert.equal((await inflateBody(packed, "gzip", 8 * MIB, () => null)).length, 4 * MIB);
  });

  it("refuses large ones where many wait, and takes them again later", async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, () => inflateBody(packed, "gzip", 8 * MIB, () => null)),
    );
    const reasons = results.flatMap(result =>
      result.status === "rejected" ? [VariscaleError.from(result.reason)] : [],
    );
    assert.ok(reasons.length > 0 && reasons.length < 100, `${reasons.length} were refused`);
    for (const { code, message } of reasons) assert.match(`${code}: ${message}`, /^resource_exhausted: 64 large/);
    assert.equal((await inflateBody(packed, "gzip", 8 * MIB, () => null)).length, 4 * MIB);
  });

  it("lets small bodies pass a large one", async () => {
    const order: string[] = [];
    const large = inflateBody(gzipSync(Buffer.alloc(64 * MIB)), "gzip", 128 * MIB, () => null).then(() =>
      order.push("large"),
    );
    const small = inflateBody(gzipSync(Buffer.alloc(1000)), "gzip", MIB, () => null).then(() => order.push("small"));
    await Promise.all([large, small]);
    assert.deepEqual(order, ["small", "large"]);
  });
});
