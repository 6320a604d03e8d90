import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import { affineConfig } from "../../support/switcher-harness.ts";

/** Arguments of a real switcher that serves at once, without a scaler. */
export function switcherArgs(folder: string, pod = "affine-1", above: object = {}): readonly string[] {
  const file = join(folder, `${pod}.json`);
  writeFileSync(file, JSON.stringify({ ...affineConfig(folder), pod, logLevel: "silent", ...above }));
  return ["switcher", "--config", file];
}

/** Arguments of one of our processes that ends at once, silently. */
export const ENDS_AT_ONCE: readonly string[] = ["--version"];

/** A logger, and what it was told. */
export function rememberingLogger(): { readonly logger: Logger; readonly lines: readonly Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>);
      done();
    },
  });
  return { logger: pino({ level: "debug" }, stream), lines };
}
