/**
 * A scaler for the page's figures, in a process of its own: its clock is moved by what the parent sends, `{ seconds }`, so that ten minutes of
 * points come in less; it answers `{ url }` at the start, and `{ points }` of all so far after each.
 */
import { RunningScaler } from "../test/scaler/support/running-scaler.ts";

/** Load, in requests a second, that makes plans change. */
const rateAt = (second: number): number => Math.round(200 + 150 * Math.sin(second / 60) + 20 * Math.sin(second / 3));

const running = await RunningScaler.start();
const switcher = running.switcher();
let seconds = 0;
let points = 0;

async function run(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    running.gateway.rateRps = rateAt(seconds++);
    await running.runUntil(
      () => true,
      () => switcher.report({ queuedRows: seconds % 40, queueAgeMs: 20 }),
    );
    points++;
  }
}

await running.planFor(50);
await run(60);
process.on("message", async ({ seconds: count }: { readonly seconds: number }) => {
  await run(count);
  process.send?.({ points });
});
process.on("disconnect", () => running.close().then(() => process.exit(0)));
process.send?.({ url: running.url("/") });
