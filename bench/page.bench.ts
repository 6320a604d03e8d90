import { askedParts } from "./asked-parts.ts";
import type { Figure } from "./figure.ts";

/** Parts of the suite, each loaded only when it runs. */
const PARTS: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  clone: async () => [await (await import("./page-clone.ts")).cloneFigure()],
  page: async () => (await import("./page-view.ts")).pageFigures(),
  agent: async () => {
    const { agentViolations } = await import("./agent-violations.ts");
    const { agentGain } = await import("./agent-gain.ts");
    return [await agentViolations(), await agentGain()];
  },
  docs: async () => [await (await import("./docs-figure.ts")).docsFigure()],
};

/** What people see and read, and what drives it for them; `only`: some of the parts. */
export async function pageSuite(only: readonly string[] | null): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const name of askedParts(only, Object.keys(PARTS))) figures.push(...((await PARTS[name]?.()) ?? []));
  return figures;
}
