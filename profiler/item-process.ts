/** The process that takes items through a pipeline, one at a time, with the pipeline's code and models for itself. */
import { VariscaleError } from "../domain/errors.ts";
import { PipelineCodeError } from "../gateway/guarded-code.ts";
import { loadCode } from "../gateway/load-code.ts";
import type { LabelledItem } from "../gateway/stage.ts";
import type { ItemReply, ItemRequest, PipelineSource } from "./item-messages.ts";
import { type ItemBench, measureItem } from "./measure-item.ts";
import { ModelBench } from "./model-bench.ts";

let bench: (ItemBench & { readonly models: ModelBench }) | null = null;

process.on("message", (request: ItemRequest) => {
  handle(request).then(reply, (error: unknown) => {
    const { code, message } = VariscaleError.from(error);
    reply({ kind: "failed", code, message, ownStack: error instanceof PipelineCodeError ? error.ownStack : null });
  });
});
process.on("disconnect", () => process.exit(0));

function reply(message: ItemReply): void {
  process.send?.(message);
}

async function handle(request: ItemRequest): Promise<ItemReply> {
  switch (request.kind) {
    case "open":
      bench = await open(request.source);
      return { kind: "opened" };
    case "measure":
      return { kind: "measured", result: await measure(request.item) };
    case "close":
      await bench?.models.close();
      return { kind: "closed" };
    default:
      return request satisfies never;
  }
}

async function open({ pipeline, file, modelFolder }: PipelineSource) {
  const code = await loadCode(pipeline, file);
  const { evaluation } = code;
  if (!evaluation) throw new VariscaleError("failed_precondition", `the code of ${file} has no evaluation`);
  return { pipeline, code, evaluation, models: await ModelBench.open(pipeline, modelFolder) };
}

function measure(item: LabelledItem) {
  if (bench === null) throw new VariscaleError("internal", "no pipeline is open");
  return measureItem(bench, item);
}
