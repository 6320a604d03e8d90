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

/** The cells of whole records, as they come; those whose rates are missing are left out. */
export function unpackCells(bytes: Uint8Array): LoadCell[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cells: LoadCell[] = [];
  for (let at = 0; at + CELL_BYTES <= bytes.length; at += CELL_BYTES) {
    const meanRps = decodeRate(view.getUint16(at + 4, true));
    const highestRps = decodeRate(view.getUint16(at + 6, true));
    if (Number.isNaN(meanRps) || Number.isNaN(highestRps)) continue;
    cells.push({ index: view.getUint32(at, true), meanRps, highestRps });
  }
  return cells;
}

/** Those that are later than all before them and not later than `newestIndex`. */
export function risingCells(cells: readonly LoadCell[], newestIndex = LARGEST_INDEX): LoadCell[] {
  let before = Number.NEGATIVE_INFINITY;
  return cells.filter(({ index }) => {
    if (index <= before || index > newestIndex) return false;
    before = index;
    return true;
  });
}
