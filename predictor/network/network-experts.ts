import type { AskedExpert } from "../expert.ts";
import type { Target } from "../target.ts";
import type { Network } from "./network.ts";

export const NETWORK = "network";

/** The network as one expert for each target. Null: there is none. */
export function createNetworkExperts(network: Network | null): Readonly<Record<Target["name"], AskedExpert | null>> {
  if (network === null) return { peak: null, rate: null };
  const createExpert = (name: Target["name"]): AskedExpert => ({
    name: NETWORK,
    predict: (history, horizonSeconds) => network.predict(history, horizonSeconds)?.[name] ?? null,
    recall: (second, horizonSeconds) => network.recall?.(second, horizonSeconds)?.[name] ?? null,
  });
  return { peak: createExpert("peak"), rate: createExpert("rate") };
}
