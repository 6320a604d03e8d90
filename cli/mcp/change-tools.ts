import { z } from "zod";
import { modeSetSchema, pinnedSchema, unpinnedSchema } from "../../domain/operator-change.ts";
import { formatKey } from "../../domain/pipeline.ts";
import { modeText, pinnedText, unpinnedText } from "../../explanation/change-text.ts";
import { plainText } from "../plain-text.ts";
import { changeLines } from "../scaler/change-lines.ts";
import { type ChangeOrigin, pin, setMode, unpin } from "../scaler/changes.ts";
import type { ScalerClient } from "../scaler/scaler-client.ts";
import { pipelineInput } from "./pipeline-input.ts";
import { defineTool, type Tool, type ToolCall } from "./tool.ts";

const common = {
  pipeline: pipelineInput.optional(),
  reason: z.string().min(3).max(500).describe("Why, for the audit log"),
  dryRun: z.boolean().default(false).describe("Only say what would change"),
};
const done = { pipeline: z.string(), dryRun: z.boolean(), what: z.string().describe("What changed, as sentences") };

/**
 * What may be changed of a running scaler. It writes each change into its audit log.
 *
 * @param owner who runs this server.
 */
export function changeTools(client: ScalerClient, owner: string): readonly Tool[] {
  const originOf = (
    { reason, dryRun }: { reason: string; dryRun: boolean },
    { clientName }: ToolCall,
  ): ChangeOrigin => ({
    by: plainText(`${owner} by MCP${clientName === "" ? "" : ` (${clientName})`}`).slice(0, 200),
    reason,
    dryRun,
  });
  return [
    defineTool({
      name: "set_mode",
      title: "Set the mode",
      description:
        "Lets a pipeline act on its plans (active) or only publish them (shadow). It stays over restarts, until the pipeline file names another mode than before.",
      input: z.strictObject({ ...common, mode: z.enum(["shadow", "active"]) }),
      output: modeSetSchema.extend(done),
      changes: true,
      run: async (input, call) => {
        const key = await client.pipeline(input.pipeline ?? null);
        const set = await setMode(client, key, input.mode, originOf(input, call));
        return {
          ...set,
          pipeline: formatKey(key),
          dryRun: input.dryRun,
          what: modeText(set, changeLines(key, input.dryRun)).join("\n"),
        };
      },
    }),
    defineTool({
      name: "pin",
      title: "Pin a stage",
      description:
        "Fixes variant, batch or replicas of a stage until the pin expires. What is fixed is given and not chosen, the SLO or not. A stage has one pin; a new one takes the place of the one before.",
      input: z.strictObject({
        ...common,
        stage: z.string().min(1).max(63),
        variant: z.string().min(1).max(63).optional(),
        batch: z.int().min(1).max(1024).optional(),
        replicas: z.int().min(0).max(10_000).optional(),
        ttlSeconds: z
          .int()
          .min(1)
          .max(30 * 86_400)
          .default(600),
      }),
      output: pinnedSchema.extend(done),
      changes: true,
      run: async (input, call) => {
        const key = await client.pipeline(input.pipeline ?? null);
        const { stage, variant = null, batch = null, replicas = null, ttlSeconds, dryRun } = input;
        const request = { stage, variant, batch, replicas, ttlMs: ttlSeconds * 1000 };
        const pinned = await pin(client, key, request, originOf(input, call));
        return {
          ...pinned,
          pipeline: formatKey(key),
          dryRun,
          what: pinnedText(pinned, changeLines(key, dryRun)).join("\n"),
        };
      },
    }),
    defineTool({
      name: "unpin",
      title: "Remove pins",
      description: "Removes the pin of a stage, or all pins of a pipeline.",
      input: z.strictObject({ ...common, stage: z.string().min(1).max(63).optional().describe("Default: all stages") }),
      output: unpinnedSchema.extend(done),
      changes: true,
      run: async (input, call) => {
        const key = await client.pipeline(input.pipeline ?? null);
        const unpinned = await unpin(client, key, input.stage ?? null, originOf(input, call));
        return {
          ...unpinned,
          pipeline: formatKey(key),
          dryRun: input.dryRun,
          what: unpinnedText(unpinned, changeLines(key, input.dryRun)).join("\n"),
        };
      },
    }),
  ];
}
