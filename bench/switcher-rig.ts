import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { switcherEnvironment } from "../runtime/switcher-environment.ts";
import { IMAGE_CONTRACT, imageModel, writeModel } from "../test/support/models.ts";
import type { ListeningMessage } from "../variant-switcher/run-switcher.ts";
import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import { Child } from "./child.ts";
import type { ClientQuestion, ClientTarget } from "./client-process.ts";
import type { PortMessage } from "./featureless-server.ts";
import { PIXEL, type Sample } from "./samples.ts";

const TRIAL_LAYERS = 30;
const STAGE = "image";
/** MiB of heap that Node allows itself in a pod of 512 MiB. By that of a whole machine it would collect less often. */
const POD_HEAP_MIB = 256;
/** What a session is said to need, so that the memory of a pod says how many of them it holds. */
const SESSION_MIB = 1000;

/** A model of the bench; its name ends with the offset that its scores have. */
export interface BenchVariant {
  readonly name: string;
  readonly path: string;
  readonly entry: { readonly name: string; readonly model: string; readonly sha256: string };
}

export interface SwitcherHandle {
  readonly child: Child;
  readonly ports: ListeningMessage["ports"];
  readonly rest: ClientTarget;
  readonly grpc: ClientTarget;
}

export interface SwitcherSetup {
  readonly variants: readonly BenchVariant[];
  /** Sessions that memory has room for. */
  readonly sessions: number;
  /** Null: the operating system chooses. */
  readonly core: number | null;
  /** Largest batch; 1 by default. */
  readonly batch?: number;
  /** The program of the switcher's process, in place of the usual one. */
  readonly script?: string;
}

/** Models that take a given time on this machine, and processes that serve or run them. */
export class Rig {
  readonly folder: string;
  readonly isShort: boolean;
  readonly #layersPerMs: number;
  #configs = 0;

  private constructor(folder: string, isShort: boolean, layersPerMs: number) {
    this.folder = folder;
    this.isShort = isShort;
    this.#layersPerMs = layersPerMs;
  }

  /** Measures what a layer costs. */
  static async calibrate(folder: string, isShort: boolean): Promise<Rig> {
    const { model } = writeModel(folder, "trial", imageModel(TRIAL_LAYERS, 0));
    const bare = await startBare([join(folder, model)], 0);
    const { cpuMs } = await bare.ask<BareAnswer>({ seconds: 2 } satisfies BareQuestion);
    await bare.stop();
    return new Rig(folder, isShort, TRIAL_LAYERS / cpuMs);
  }

  /** A model that takes about so long for a row on one core. `offset` tells its scores from those of the others. */
  variant(label: string, offset: number, ms: number): BenchVariant {
    const name = `${label}-${offset}`;
    const entry = writeModel(this.folder, name, imageModel(Math.max(1, Math.round(ms * this.#layersPerMs)), offset));
    return { name, path: join(this.folder, entry.model), entry };
  }

  startBare(variants: readonly BenchVariant[], core: number | null): Promise<Child> {
    return startBare(
      variants.map(({ path }) => path),
      core,
    );
  }

  async startFeatureless(
    variant: BenchVariant,
    batch: number,
    core: number,
  ): Promise<{ readonly child: Child; readonly rest: ClientTarget }> {
    const child = new Child("./featureless-server.js", [variant.path, String(batch)], core);
    const { port } = await child.receive<PortMessage>();
    const offset = Number(variant.name.split("-")[1]);
    return { child, rest: { transport: "rest", port, model: STAGE, offset } };
  }

  /** A gRPC server that answers as the variant would, without a model. */
  async startEmpty(
    variant: BenchVariant,
    core: number,
  ): Promise<{ readonly child: Child; readonly grpc: ClientTarget }> {
    const offset = Number(variant.name.split("-")[1]);
    const child = new Child("./empty-inference.js", [variant.name, String(offset + PIXEL)], core, [], {
      ...process.env,
      ...switcherEnvironment(process.env),
    });
    const { port } = await child.receive<PortMessage>();
    return { child, grpc: { transport: "grpc", port, model: STAGE, offset } };
  }

  async startSwitcher(setup: SwitcherSetup): Promise<SwitcherHandle> {
    const { variants, sessions, core, batch = 1, script = "../test/support/switcher-process.js" } = setup;
    const config = join(this.folder, `switcher-${this.#configs++}.json`);
    const value = {
      pipeline: { namespace: "bench", name: "bench" },
      stage: STAGE,
      pod: "image-0",
      contract: IMAGE_CONTRACT,
      variants: variants.map(({ entry }) => ({ ...entry, memoryMiB: SESSION_MIB })),
      defaultVariant: variants[0]?.name,
      modelFolder: this.folder,
      cores: 1,
      memoryMiB: (sessions + 0.5) * SESSION_MIB,
      ports: { http: 0, grpc: 0, admin: 0, metrics: 0 },
      logLevel: "silent",
    };
    writeFileSync(config, JSON.stringify(value));
    // As `variscale up` and the manifests start it, with the heap of a pod.
    const child = new Child(script, ["--config", config], core, [`--max-old-space-size=${POD_HEAP_MIB}`], {
      ...process.env,
      ...switcherEnvironment(process.env),
    });
    const { ports } = await child.receive<ListeningMessage>();
    const ready = `http://127.0.0.1:${ports.http}/v2/health/ready`;
    while ((await fetch(ready)).status !== 200) await new Promise(resolve => setTimeout(resolve, 20));
    const target = { model: STAGE, offset: null };
    const handle: SwitcherHandle = {
      child,
      ports,
      rest: { transport: "rest", port: ports.http, ...target },
      grpc: { transport: "grpc", port: ports.grpc, ...target },
    };
    if (batch > 1) await switchTo(handle, variants[0]?.name ?? "", batch);
    return handle;
  }

  async startClient(core: number | null): Promise<BenchClient> {
    const child = new Child("./client-process.js", [], core);
    await child.receive();
    return { child, ask: question => child.ask<readonly Sample[]>(question), stop: () => child.stop() };
  }
}

export interface BenchClient {
  readonly child: Child;
  ask(question: ClientQuestion): Promise<readonly Sample[]>;
  stop(): Promise<void>;
}

/** Switches and gives the times at which that began and ended, on the clock of the client's samples. */
export async function switchTo(
  { ports }: Pick<SwitcherHandle, "ports">,
  variant: string,
  batch = 1,
): Promise<{ readonly fromMs: number; readonly toMs: number }> {
  const fromMs = performance.timeOrigin + performance.now();
  const body = JSON.stringify({ variant, batch });
  const url = `http://127.0.0.1:${ports.admin}/admin/v1/assignment`;
  const response = await fetch(url, { method: "PUT", headers: { "if-match": "*" }, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`could not switch to ${variant}: ${text}`);
  return { fromMs, toMs: performance.timeOrigin + performance.now() };
}

async function startBare(paths: readonly string[], core: number | null): Promise<Child> {
  const bare = new Child("./bare-process.js", paths, core);
  await bare.receive();
  return bare;
}
