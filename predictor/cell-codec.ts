import type { LoadCell } from "./load-history.ts";
import { decodeRate, encodeRate } from "./rate-code.ts";

/** Index, mean and highest rate of a cell: a 32-bit and two 16-bit numbers, little-endian. */
export const CELL_BYTES = 8;
/** Of the year 3331. */
const LARGEST_INDEX = 2 ** 32 - 1;

/** Cells as bytes; those before 1970 and after 3331 are left out. */
export function packCells(cells: readonly LoadCell[]): Uint8Array<ArrayBuffer> {
  const possible = cells.filter(({ index }) => index >= 0 && index <= LARGEST_INDEX);
  const bytes = new Uint8Array(possible.length * CELL_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, cell] of possible.entries()) {
    view.setUint32(i * CELL_BYTES, cell.index, true);
    view.setUint16(i * CELL_BYTES + 4, encodeRate(cell.meanRps), true);
    view.setUint16(i * CELL_BYTES + 6, encodeRate(cell.highestRps), true);
  }
  return bytes;
}

/** The cells of whole records, as they come, one at a time; those whose rates are missing are left out. */
export function* unpackCells(bytes: Uint8Array): Generator<LoadCell> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + CELL_BYTES <= bytes.length; at += CELL_BYTES) {
    const meanRps = decodeRate(view.getUint16(at + 4, true));
    const highestRps = decodeRate(view.getUint16(at + 6, true));
    if (Number.isNaN(meanRps) || Number.isNaN(highestRps)) continue;
    yield { index: view.getUint32(at, true), meanRps, highestRps };
  }
}

/** Those that are later than all before them and not later than `newestIndex`. */
export function* risingCells(cells: Iterable<LoadCell>, newestIndex = LARGEST_INDEX): Generator<LoadCell> {
  let before = Number.NEGATIVE_INFINITY;
  for (const cell of cells) {
    if (cell.index <= before || cell.index > newestIndex) continue;
    before = cell.index;
    yield cell;
  }
}
