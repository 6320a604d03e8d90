import { MARGIN, timeSpan } from "./time-axis.ts";

export interface PointerListener {
  /** The points of the chart. */
  readonly timesOf: () => readonly number[];
  /** Called with the time of the point under the pointer, and with null when it leaves; at most once a frame. */
  readonly onPoint: (atMs: number | null) => void;
  readonly onPress: (atMs: number) => void;
}

/** Listens on the place of a chart, which is its first element: that may be made anew at any time. */
export function followPointer(host: HTMLElement, { timesOf, onPoint, onPress }: PointerListener): void {
  let next: number | null = null;
  let isAsked = false;
  const tell = (atMs: number | null): void => {
    next = atMs;
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      onPoint(next);
    });
  };
  const timeOf = (event: MouseEvent): number | null => {
    const box = host.firstElementChild?.getBoundingClientRect();
    const isInside = box && event.clientY >= box.top && event.clientY <= box.bottom;
    return isInside ? timeAt(timesOf(), event.clientX - box.left, box.width) : null;
  };
  host.addEventListener("pointermove", event => tell(timeOf(event)));
  host.addEventListener("pointerleave", () => tell(null));
  // Not `click`: there is none where the chart was drawn anew between press and release.
  host.addEventListener("pointerdown", event => {
    const atMs = event.button === 0 ? timeOf(event) : null;
    if (atMs !== null) onPress(atMs);
  });
}

/** The time of the point that lies nearest; null: there is none, or the pointer is beside the chart. */
function timeAt(atMs: readonly number[], px: number, width: number): number | null {
  const [nearest] = atMs;
  const share = (px - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
  if (nearest === undefined || share < 0 || share > 1) return null;
  const [first, last] = timeSpan(atMs);
  const wanted = first + share * (last - first);
  return atMs.reduce((best, at) => (Math.abs(at - wanted) < Math.abs(best - wanted) ? at : best), nearest);
}
