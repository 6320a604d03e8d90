import { z } from "zod";

export const pipelineInput = z.string().min(1).max(127).describe("namespace/name; default: the only one that there is");
