import { type Pod, readPods } from "../../scaler/pod-troubles.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Whether the pods of a stage are ready, and why they are not: those of one cause together. */
export function checkPods(pods: readonly Pod[], where: string, nowMs: number): readonly Finding[] {
  const { living, ready, troubles } = readPods(pods, nowMs);
  if (troubles.length > 0)
    return troubles.map(({ what, fix, isCertain }) => (isCertain ? fail : warn)("pods", where, what, fix));
  return [ok("pods", where, `${ready} of ${living} pods are ready${living > ready ? ", the others start" : ""}`)];
}
