import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageFolder } from "../runtime/version.ts";
import { MlServer } from "../test/clients/mlserver.ts";
import type { ClientTarget } from "./client-process.ts";
import { type Figure, figure } from "./figure.ts";
import { latencies, median, rounded } from "./samples.ts";
import type { BenchVariant, Rig } from "./switcher-rig.ts";

const TURN_SECONDS = 2;
const WARM_UP_SECONDS = 6;
const CLIENTS = 8;

interface PythonEnvironment {
  findPython(requirements: string, who: string): { readonly folder: string | null; readonly reason?: string };
}

/** Against MLServer with the same model, on the same core, with the same gRPC client; its inference happens in the serving process. */
export async function mlserverFigures(rig: Rig): Promise<Figure[]> {
  const name = "switcher.vsMlserver.throughput";
  const script = pathToFileURL(join(packageFolder, "scripts/python-environment.mjs")).href;
  const { findPython } = (await import(script)) as PythonEnvironment;
  const python = findPython(join(packageFolder, "test/clients/requirements.txt"), "bench");
  if (python.folder === null) return [figure(name, null, { note: `no MLServer: ${python.reason ?? ""}` })];
  const variant = rig.variant("half", 2000, 0.5);
  const server = await startMlserver(rig, variant, python.folder);
  const switcher = await rig.startSwitcher({ variants: [variant], sessions: 2, core: 0, batch: 8 });
  const client = await rig.startClient(1);
  const theirs: ClientTarget = { transport: "grpc", port: server.grpcPort, model: "image", offset: 2000 };
  const ratios: number[] = [];
  const rates: [number, number][] = [];
  const rate = async (target: ClientTarget, seconds: number): Promise<number> =>
    latencies(await client.ask({ kind: "closed", target, seconds, concurrency: CLIENTS })).length / seconds;
  try {
    for (const target of [theirs, switcher.grpc]) await rate(target, WARM_UP_SECONDS);
    for (let round = 0; round < (rig.isShort ? 2 : 7); round++) {
      const mlserverRps = await rate(theirs, TURN_SECONDS);
      const switcherRps = await rate(switcher.grpc, TURN_SECONDS);
      ratios.push(switcherRps / mlserverRps);
      rates.push([switcherRps, mlserverRps]);
    }
    return [
      figure(name, rounded(median(ratios)), {
        against: {
          switcherRps: rounded(median(rates.map(([ours]) => ours))),
          mlserverRps: rounded(median(rates.map(([, others]) => others))),
        },
        note: `gRPC, raw contents, ${CLIENTS} clients; model of 0.5 ms; MLServer without worker processes`,
      }),
    ];
  } finally {
    await Promise.all([server.stop(), switcher.child.stop(), client.stop()]);
  }
}

async function startMlserver(rig: Rig, variant: BenchVariant, python: string): Promise<MlServer> {
  const folder = join(rig.folder, "mlserver");
  mkdirSync(join(folder, "image"), { recursive: true });
  const settings = {
    name: "image",
    implementation: "mlserver_model.OnnxModel",
    parameters: { uri: variant.path },
  };
  writeFileSync(join(folder, "image/model-settings.json"), JSON.stringify(settings));
  return await MlServer.start({
    folder,
    python,
    code: join(packageFolder, "bench/mlserver_model.py"),
    models: ["image"],
    atStart: true,
    core: 0,
  });
}
