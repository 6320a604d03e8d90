#!/usr/bin/env node
import { VariscaleError } from "../domain/errors.ts";
import { EXIT } from "./exit-codes.ts";
import { failureText } from "./failure-text.ts";

// onnxruntime reports to its maker unless told otherwise before it is loaded, and leaves files behind for that.
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";

// Progress that nobody reads any more is no reason to end: what takes minutes is still written where it belongs.
process.stderr.on("error", () => undefined);

async function main(): Promise<void> {
  // The sidecar shares its pod with models: it loads nothing that it does not need.
  if (process.argv[2] === "switcher") {
    const { runSwitcher, SWITCHER_USAGE } = await import("../variant-switcher/run-switcher.ts");
    const args = process.argv.slice(3);
    if (args.includes("--help") || args.includes("-h")) (await import("./write-result.ts")).writeResult(SWITCHER_USAGE);
    else await runSwitcher(args);
    return;
  }
  const { createProgram } = await import("./program.ts");
  await createProgram().parseAsync();
}

main().catch((thrown: unknown) => {
  process.stderr.write(`variscale: ${failureText(thrown)}\n`);
  process.exit(VariscaleError.from(thrown).code === "invalid_argument" ? EXIT.wrongInput : EXIT.failed);
});
