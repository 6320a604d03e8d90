/** The switcher as a process of its own, as the command line starts it. */
import { runSwitcher } from "../../variant-switcher/run-switcher.ts";

runSwitcher(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
});
