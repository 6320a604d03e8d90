import type { Objective } from "./pipeline-schema.ts";

/** A field of the objective that can be planned for but not served by running pods. */
export interface Unserved {
  readonly field: "podShape" | "policy";
  readonly rule: string;
}

/** What keeps a pipeline out of mode `active`; none: it may be in it. */
export function unservedOf({ podShape, policy }: Pick<Objective, "podShape" | "policy">): readonly Unserved[] {
  const unserved: Unserved[] = [];
  if (podShape === "variant")
    unserved.push({ field: "podShape", rule: "must be `stage` in mode `active`: a running pod keeps its cores" });
  if (policy === "oracle") unserved.push({ field: "policy", rule: "is only for planning, not for mode `active`" });
  return unserved;
}
