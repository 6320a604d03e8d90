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

const shadow = z
  .boolean()
  .describe(
    "Replicas load their variants and count which ones the ladder would choose (`variscale_switcher_shadow_rows_total`), but serve the planned one alone",
  );
/** They are about one connection, and say nothing of who sends a request. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
/** Those that the gateway reads for another purpose. */
const OWN = /^(x-request-id|x-request-timeout-ms|x-sequence-(id|number)|x-variscale-.*)$/;
const sticky = z.strictObject({
  by: z
    .string()
    .max(64)
    .regex(/^[a-z0-9][a-z0-9_-]*$/, "must be the name of a header, in lower case")
    .refine(
      header => !HOP_BY_HOP.includes(header),
      "is about one connection alone. Write a header of the client, as x-user-id",
    )
    .refine(header => !OWN.test(header), "means something else to the gateway. Write another header, as x-user-id")
    .describe("Name of a header of the client's requests, in lower case"),
  ttlMs: z.int().min(100).max(3_600_000).describe("From when a variant is chosen until it is chosen again"),
});

/** How replicas choose variants. */
export const servingSchema = z
  .strictObject({
    rule: rule.default("ladder"),
    headroom: headroom.default(0.75),
    floor: floor.default({}),
    sticky: sticky
      .optional()
      .describe(
        "Requests with the same value of a header are served by no more accurate variant than the one that was chosen for the first of them, so that it does not go up and down",
      ),
    shadow: shadow.default(false),
  })
  .prefault({});

/** An operator sets this for a while in the place of what the pipeline file says; missing fields stay as there. */
export const servingChangeSchema = z.strictObject({
  rule: rule.exactOptional(),
  headroom: headroom.exactOptional(),
  floor: floor.exactOptional(),
  shadow: shadow.exactOptional(),
});

export type Serving = z.output<typeof servingSchema>;
export type ServingChange = z.output<typeof servingChangeSchema>;
