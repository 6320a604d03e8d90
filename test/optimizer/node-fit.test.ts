import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { placePods } from "../../optimizer/node-fit.ts";

describe("placePods()", () => {
  it("gives back what finds no room", () => {
    const pod = (cores: number) => ({ cores, memoryMiB: 1 });
    assert.deepEqual(
      placePods(
        [pod(3), pod(2), pod(2), pod(1)],
        [pod(4), pod(4)].map(node => ({ ...node, memoryMiB: 9 })),
      ),
      [],
    );
    assert.deepEqual(
      placePods(
        [pod(3), pod(3), pod(3)],
        [
          { cores: 4, memoryMiB: 9 },
          { cores: 4, memoryMiB: 9 },
        ],
      ),
      [pod(3)],
    );
    assert.deepEqual(placePods([pod(1), pod(1)], [{ cores: 4, memoryMiB: 1 }]), [pod(1)]);
  });
});
