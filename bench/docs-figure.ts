import { commandBlocks, runDocument } from "./document-commands.ts";
import { blocksOf, documents } from "./documents.ts";
import { type Figure, figure } from "./figure.ts";

/** Commands of all documents that nothing else runs, run one document after the other. Beside it: blocks of other tests, and of none. */
export async function docsFigure(): Promise<Figure> {
  const files = documents().filter(file => commandBlocks(file).length > 0);
  let commands = 0;
  const failed: string[] = [];
  for (const file of files) {
    const run = await runDocument(file);
    commands += run.commands;
    failed.push(...run.failed.map(({ at }) => at));
  }
  const blocks = documents().flatMap(blocksOf);
  return figure("docs.failingCommands", failed.length, {
    against: {
      commands,
      documents: files.length,
      blocksRunByOtherTests: blocks.filter(({ language, runBy }) => language === "sh" && runBy !== null).length,
      blocksNotRun: blocks.filter(({ notRun }) => notRun !== null).length,
    },
    note:
      failed.length > 0
        ? failed.join(", ")
        : "the `sh` blocks that name no test that runs them and no reason why none does",
  });
}
