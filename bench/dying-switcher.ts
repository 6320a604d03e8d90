/** A switcher whose sessions' threads die every 20 s, in the middle of a batch. */
import { runSwitcher } from "../variant-switcher/run-switcher.ts";

process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
await runSwitcher(process.argv.slice(2), { workerUrl: new URL("./dying-worker.js", import.meta.url) });
