import type { SequenceAssertions } from "../../gateway/stage.ts";
import { type Box, matchBoxes } from "./box.ts";
import type { FrameContext } from "./context.ts";
import type { ObjectClass } from "./frame.ts";

/** What is kept of an object for the next two frames. Its box is in whole pixels. */
export interface KeptObject {
  readonly class: ObjectClass | null;
  readonly box: Box;
}

/** Road users go on a little from frame to frame, and boxes are not found to the pixel: less than what tells right boxes from wrong ones. */
const SAME_OBJECT = 0.3;

/** What must hold between the frames of a camera. */
export const sequences: SequenceAssertions<FrameContext, readonly KeptObject[]> = {
  remember: objectsOf,
  assertions: {
    /** No object comes for one frame, and none goes for one. */
    noFlicker: (context, [last, beforeLast]) => {
      if (!last || !beforeLast) return true;
      const now = objectsOf(context);
      return (
        last.every(object => isAmong(object, beforeLast) || isAmong(object, now)) &&
        beforeLast.every(object => isAmong(object, last) || !isAmong(object, now))
      );
    },
    /** What was a car on the frame before is still one. */
    steadyClasses: (context, [last = []]) => {
      const now = objectsOf(context);
      return matchBoxes(boxesOf(now), boxesOf(last), SAME_OBJECT).every(
        (match, index) => match < 0 || last[match]?.class === now[index]?.class,
      );
    },
  },
};

function objectsOf({ regions, classified }: FrameContext): KeptObject[] {
  return regions.map(({ box }, index) => ({
    class: classified[index]?.class ?? null,
    box: box.map(Math.round) as unknown as Box,
  }));
}

function isAmong(object: KeptObject, others: readonly KeptObject[]): boolean {
  return matchBoxes([object.box], boxesOf(others), SAME_OBJECT)[0] !== -1;
}

function boxesOf(objects: readonly KeptObject[]): Box[] {
  return objects.map(({ box }) => box);
}
