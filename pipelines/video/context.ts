import type { Frame, ObjectClass } from "./frame.ts";
import type { Region } from "./stages/object-map.ts";

/** What an object was taken for. */
export interface Classification {
  readonly class: ObjectClass;
  /** Probability of the class, 0 to 1. */
  readonly confidence: number;
}

/** What is known of one request so far: each stage adds its part. */
export interface FrameContext {
  readonly frame: Frame;
  /** Set by detection. */
  regions: readonly Region[];
  /** Set by classification: one per region, in their order. */
  classified: readonly Classification[];
}
