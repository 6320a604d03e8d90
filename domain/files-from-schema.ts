import { z } from "zod";

const configMapName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, "must be the name of a ConfigMap");

/** Where an object in a cluster, which has no folder, has the files that a pipeline file has beside it. */
export const filesFromSchema = z
  .strictObject({ configMapRef: z.strictObject({ name: configMapName }) })
  .describe(
    "Of an InferencePipeline in a cluster: the ConfigMap with the files that are named here. Default: the one of the pipeline's name. A pipeline file has them beside it",
  );
