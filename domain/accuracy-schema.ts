import { z } from "zod";
import { ACCURACY_METHODS } from "./accuracy-method.ts";

/** How the accuracy of a pipeline is known, and what is done where it drifts. */
export const accuracySchema = z
  .strictObject({
    method: z
      .enum(ACCURACY_METHODS)
      .default("table")
      .describe(
        "`table`: combinations as they were measured, and `markov` where one was not; `markov`: product of the stages' accuracies with `recovery`; `product` and `rankSum` (sum of ranks, 0 to 1 each, over the number of stages) as in the literature",
      ),
    estimators: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .describe("File of `variscale drift`, beside this file: accuracy is estimated with it while the pipeline serves"),
    trials: z
      .boolean()
      .default(false)
      .describe(
        "While accuracy has drifted, the combination of variants that may be better than what is planned serves for half a minute in five, at the replicas that are there; ever less often as long as these do not carry it",
      ),
  })
  .prefault({});
