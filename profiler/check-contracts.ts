import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline, Stage, Variant } from "../domain/pipeline.ts";
import { isRefused } from "../variant-switcher/driver.ts";
import { Pauses } from "../variant-switcher/pauses.ts";
import { prepareSession } from "../variant-switcher/prepare-session.ts";
import type { Refused } from "../variant-switcher/session-messages.ts";
import { threadsOf } from "./model-source.ts";

/** A variant that a switcher of its stage would refuse. */
export interface RefusedVariant {
  readonly stage: string;
  readonly variant: string;
  /** Why, as the switcher would say it to the scaler. */
  readonly code: Refused["code"];
  /** A sentence that names stage, variant, file or server, what was expected and what was found. */
  readonly message: string;
  /** A sentence that says what to do; null where the message does. */
  readonly fix: string | null;
}

/**
 * Loads every variant once, one after the other, and lets a switcher's own check look at it: names, types and shapes of its tensors against the
 * stage's contract, as the model declares them and as one row of zeros has them. A model of another server is left as it was found.
 *
 * @param loadsRemote whether another server may load its models for that. Otherwise those that are not ready there are compared by their description
 * alone, because a server that others use has no memory to spare.
 */
export async function findRefused(
  { stages }: Pick<Pipeline, "stages">,
  modelFolder: string,
  loadsRemote = true,
): Promise<readonly RefusedVariant[]> {
  const found: RefusedVariant[] = [];
  for (const stage of stages)
    for (const variant of stage.variants) {
      const refused = await tryVariant(stage, variant, modelFolder, loadsRemote);
      if (refused === null) continue;
      const where =
        variant.driver === "remote" ? `${variant.model} at ${variant.url}` : join(modelFolder, variant.model);
      const reason = refused.message.replace(/^[^:]+: (?=the )/, "").replace(/\.?$/, ".");
      found.push({
        ...{ stage: stage.name, variant: variant.name, code: refused.code },
        message: `${stage.name}/${variant.name} (${where}): ${reason}`,
        fix: findFix(stage, variant, refused.code),
      });
    }
  return found;
}

function findFix(stage: Stage, { driver }: Variant, code: Refused["code"]): string | null {
  if (code === "contract_mismatch")
    return `Correct \`contract\` of stage ${stage.name} in the pipeline file, or export the model anew so that it keeps it.`;
  return code === "model_invalid" && driver === "onnx" ? "Export it again, or copy it whole." : null;
}

/**
 * @param codes for which a variant ends it. A variant that can't be loaded is left out by what serves, and ends what measures.
 * @throws failed_precondition that names every such variant.
 */
export async function checkContracts(
  pipeline: Pick<Pipeline, "stages">,
  modelFolder: string,
  codes: readonly RefusedVariant["code"][] = ["contract_mismatch"],
): Promise<void> {
  const broken = (await findRefused(pipeline, modelFolder)).filter(({ code }) => codes.includes(code));
  if (broken.length > 0)
    throw new VariscaleError(
      "failed_precondition",
      broken.map(({ message, fix }) => [message, ...(fix === null ? [] : [fix])].join(" ")).join("\n"),
    );
}

/** Gives null where a switcher would serve it. */
async function tryVariant(
  stage: Stage,
  variant: Variant,
  modelFolder: string,
  loadsRemote: boolean,
): Promise<Refused | null> {
  const { name, driver, model, sha256, url, profile } = variant;
  if (driver === "emulated") return null;
  const open = {
    variant: { name, driver, model, sha256, url, loadMs: profile?.loadMs ?? null, memoryMiB: null, points: [] },
    contract: stage.contract,
    modelFolder,
    threads: threadsOf(stage.cores),
  };
  if (driver === "remote" && !loadsRemote) {
    const { lookAtRemote } = await import("../variant-switcher/remote-session.ts");
    const seen = await lookAtRemote(open);
    if (seen !== "ready") return seen === "fits" ? null : seen;
  }
  const session = await prepareSession({
    open,
    golden: [],
    batches: [1],
    signal: new AbortController().signal,
    pauses: new Pauses(null),
    onStep: () => undefined,
  });
  if (isRefused(session)) return session;
  await session.close();
  return null;
}
