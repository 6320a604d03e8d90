import type { Tuning } from "../control/tuning.ts";
import type { Situation } from "./situation.ts";

/** The one pipeline that an agent looks at: a running scaler's, or one in the simulator. */
export interface AgentPort {
  /** As of now. */
  situation(): Promise<Situation>;
  /** Puts a tuning in force for so long, in the place of the one before. */
  apply(tuning: Tuning, ttlMs: number, why: string): Promise<void>;
}
