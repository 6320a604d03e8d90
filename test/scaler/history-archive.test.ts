import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { packCells } from "../../predictor/cell-codec.ts";
import type { LoadCell } from "../../predictor/load-history.ts";
import { appendToArchive, readArchive } from "../../scaler/history-archive.ts";

const NOW_MS = 1_700_000_000_000;
const NOW = NOW_MS / 10_000;
const THREE_WEEKS = 21 * 8640;

function cells(from: number, count: number): LoadCell[] {
  return Array.from({ length: count }, (_, i) => ({ index: from + i, meanRps: i % 50, highestRps: (i % 50) + 3 }));
}

function indexes(found: readonly LoadCell[]): number[] {
  return found.map(({ index }) => index);
}

describe("the archive of a pipeline's load", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    path = join(folder, "history", "shop_cards.cells");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("gives what was appended, to 0.0125 % of 1 + rate", () => {
    assert.deepEqual([...readArchive(path, NOW_MS)], []);
    appendToArchive(path, cells(NOW - 100, 40));
    appendToArchive(path, []);
    appendToArchive(path, cells(NOW - 50, 20));
    const found = [...readArchive(path, NOW_MS)];
    assert.deepEqual(indexes(found), indexes([...cells(NOW - 100, 40), ...cells(NOW - 50, 20)]));
    for (const [i, cell] of cells(NOW - 100, 40).entries())
      assert.ok(Math.abs(found[i]!.highestRps - cell.highestRps) < 2e-4 * (1 + cell.highestRps));
  });

  it("cuts off what a write left behind of a record, and goes on", () => {
    appendToArchive(path, cells(NOW - 100, 5));
    appendFileSync(path, Buffer.from([1, 2, 3]));
    assert.equal([...readArchive(path, NOW_MS)].length, 5);
    appendToArchive(path, cells(NOW - 90, 5));
    assert.equal(statSync(path).size, 80);
    assert.deepEqual(indexes([...readArchive(path, NOW_MS)]), [
      ...indexes(cells(NOW - 100, 5)),
      ...indexes(cells(NOW - 90, 5)),
    ]);
  });

  it("passes over records that are out of order, from the far future or without a rate", () => {
    appendToArchive(path, cells(NOW - 100, 3));
    appendToArchive(path, cells(NOW + 100_000, 1));
    appendToArchive(path, cells(NOW - 99, 3));
    appendFileSync(path, Buffer.alloc(8, 255).fill(0, 4));
    assert.deepEqual(indexes([...readArchive(path, NOW_MS)]), [NOW - 100, NOW - 99, NOW - 98, NOW - 97]);
  });

  it("gives rising cells with finite rates from any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        appendToArchive(path, cells(NOW - 10, 1));
        writeFileSync(path, bytes);
        let before = -1;
        for (const { index, meanRps, highestRps } of readArchive(path, NOW_MS)) {
          assert.ok(index > before && Number.isFinite(meanRps) && Number.isFinite(highestRps));
          before = index;
        }
      }),
    );
  });

  it("keeps three to six weeks", () => {
    const first = NOW - 3 * THREE_WEEKS;
    for (let part = 0; part < 9; part++) appendToArchive(path, cells(first + part * 60_000, 60_000));
    assert.ok(statSync(path).size < THREE_WEEKS * 8 && statSync(`${path}.1`).size < 1.4 * THREE_WEEKS * 8);
    const found = [...readArchive(path, NOW_MS)];
    assert.ok(found.length >= THREE_WEEKS && found.length <= 2.4 * THREE_WEEKS, String(found.length));
    assert.equal(found.at(-1)!.index, first + 9 * 60_000 - 1);
  });

  it("says what is wrong with a disk, and loses nothing that was there", function () {
    appendToArchive(path, cells(NOW - 100, 3));
    assert.throws(() => appendToArchive(join(path, "below"), cells(NOW, 1)), VariscaleError);
    assert.equal(readFileSync(path).length, packCells(cells(NOW - 100, 3)).length);
    const full = join(folder, "full.cells");
    try {
      symlinkSync("/dev/full", full);
      writeFileSync("/dev/full", "x");
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") return this.skip();
    }
    assert.throws(() => appendToArchive(full, cells(NOW, 1)), /disk is full/);
  });
});
