import type { LeaderAddresses } from "./lease-record.ts";

/** Whether this process is the one that plans and assigns, and who is where it is another. */
export interface Leadership {
  /** Asked before every tick, and before everything that is sent to a switcher. */
  readonly isLeading: boolean;
  /** Another may be leading by now: switchers are sent away. */
  readonly mayBeLost: boolean;
  /** Where the other one is reached; null: it is not known, or this one leads. */
  readonly leader: LeaderAddresses | null;
}

/** Of a scaler that is the only one. */
export const ALONE: Leadership = { isLeading: true, mayBeLost: false, leader: null };
