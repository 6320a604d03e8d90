import { logOdds } from "../../domain/log-odds.ts";
import type { FrameContext } from "./context.ts";

/** How sure the stages are of a frame; without objects as sure as can be. */
export function signals({ regions, classified }: FrameContext): Readonly<Record<string, number>> {
  const sureness = classified.map(({ confidence }) => confidence);
  return {
    objects: regions.length,
    leastObject: logOdds(Math.min(1, ...regions.map(({ score }) => score))),
    leastClass: logOdds(Math.min(1, ...sureness)),
    allClasses: sureness.reduce((sum, confidence) => sum + Math.log(Math.max(1e-4, confidence)), 0),
  };
}
