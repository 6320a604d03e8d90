/** Says where a command that goes on serving is reached: one line of JSON on standard output. Whether somebody reads it changes nothing. */
export function writeReady(addresses: object): void {
  process.stdout.on("error", () => undefined);
  process.stdout.write(`${JSON.stringify(addresses)}\n`);
}
