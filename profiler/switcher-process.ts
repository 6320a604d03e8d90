/** A switcher in a process of its own, as in a pod. */
import { VariscaleError } from "../domain/errors.ts";
import { runSwitcher } from "../variant-switcher/run-switcher.ts";

runSwitcher(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${VariscaleError.from(error).message}\n`);
  process.exit(1);
});
