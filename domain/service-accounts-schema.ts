import { z } from "zod";

const serviceAccount = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    "must be the name of a service account: lower-case letters, digits, `-` or `.`, and start and end with a letter or digit",
  );

/** Of a stage. */
export const serviceAccountsSchema = z
  .array(serviceAccount)
  .max(32)
  .default([])
  .describe(
    "That the pods of its switchers run as: a scaler that knows switchers by their tokens refuses others. None: any that it takes",
  );
