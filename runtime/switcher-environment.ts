import { FEW_ARENAS } from "./few-arenas.ts";

/** V8 lets the young generation of the main thread grow to 48 MiB by itself. Its largest size can only be given at the start. */
const SMALL_YOUNG_GENERATION = "--max-semi-space-size=1";

/**
 * What a switcher's process is started with; options for Node that are in `before` stay, and stand above ours. The image's command
 * (scripts/variscale.sh) says it once more.
 */
export function switcherEnvironment(before: NodeJS.ProcessEnv) {
  const options = [SMALL_YOUNG_GENERATION, before["NODE_OPTIONS"] ?? ""].join(" ").trim();
  return { ...FEW_ARENAS, NODE_OPTIONS: options };
}
