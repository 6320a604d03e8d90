import { z } from "zod";

/** What the status of an object of Kubernetes says of it, by type. */
export const objectConditions = z
  .array(
    z.looseObject({
      type: z.string(),
      status: z.string(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
    }),
  )
  .nullish();
