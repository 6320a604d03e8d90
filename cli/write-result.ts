/** Writes a command's result to standard output. Whoever reads may stop early, as with `| head`: that ends the command and is no error. */
export function writeResult(text: string): void {
  process.stdout.on("error", () => process.exit(0));
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}
