import { z } from "zod";
import { name } from "../profile-schema.ts";

const rule = z
  .enum(["ladder", "fixed"])
  .describe(
    "`ladder`: each batch is served by the most accurate variant, up to the planned one, with which nobody waits too long; `fixed`: by the planned one. Policies of the literature, pins and votes are always served `fixed`",
  );
const headroom = z
  .number()
  .gt(0, "must be above 0")
  .max(1)
  .describe("Share of a request's time that choices aim at; the rest is for what can't be foreseen");
const floor = z
  .record(name, name)
  .describe(
    "By stage: the lightest variant that may serve; below it requests are refused instead. Default: the variant that takes the least time",
  );

/** How replicas choose variants. */
export const servingSchema = z
  .strictObject({
    rule: rule.default("ladder"),
    headroom: headroom.default(0.75),
    floor: floor.default({}),
  })
  .prefault({});

/** An operator sets this for a while in the place of what the pipeline file says; missing fields stay as there. */
export const servingChangeSchema = z.strictObject({
  rule: rule.exactOptional(),
  headroom: headroom.exactOptional(),
  floor: floor.exactOptional(),
});

export type Serving = z.output<typeof servingSchema>;
export type ServingChange = z.output<typeof servingChangeSchema>;
