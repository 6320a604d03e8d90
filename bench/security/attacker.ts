/** A process that attacks: argument `memory NAME SECONDS PORTS` or `input NAME 0 PORTS`, the ports as JSON. */
import { BLOCKING_INPUTS, MEMORY_ATTACKS, type Ports } from "./attacks.ts";

const [kind = "", name = "", seconds = "0", portsText = "{}"] = process.argv.slice(2);
const ports = JSON.parse(portsText) as Ports;

async function attack(): Promise<void> {
  if (kind === "memory") await MEMORY_ATTACKS[name]?.run(ports, performance.now() + Number(seconds) * 1000);
  else await BLOCKING_INPUTS[name]?.send(ports);
}

attack().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
