import { since, type Tally } from "../test/cluster/support/load/tally.ts";
import { FAULTS, type FaultPlace, untilFewer, untilMore } from "../test/cluster/support/real-faults.ts";
import { LOW_RPS } from "./kubernetes-step.ts";

/** Of a high load: the forecast remembers it for a while. */
const FORGOTTEN_MS = 400_000;

/** How the requests end that are sent while each fault happens, and while replicas are taken away. */
export async function measureFaults(place: FaultPlace): Promise<Readonly<Record<string, Tally>>> {
  const { release, client } = place;
  await untilMore(client);
  const tallies: Record<string, Tally> = {};
  let before = await client.tally();
  for (const { name, happen } of FAULTS) {
    await happen(place);
    await untilMore(client);
    const now = await client.tally();
    tallies[name] = since(before, now);
    before = now;
  }
  await client.rate(LOW_RPS);
  await untilFewer(release, FORGOTTEN_MS);
  tallies["scale-down, and what was still open"] = since(before, await client.end());
  return tallies;
}
