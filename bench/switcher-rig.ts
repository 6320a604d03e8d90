import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { IMAGE_CONTRACT, imageModel, writeModel } from "../test/support/models.ts";
import type { ListeningMessage } from "../variant-switcher/run-switcher.ts";
import type { BareAnswer, BareQuestion } from "./bare-process.ts";
import { Child } from "./child.ts";

const MODEL_MS = 4;
const TRIAL_LAYERS = 30;
/** Layers of the variants, against those of the slowest. */
const SHARES = { "slow-1000": 1, "middle-2000": 0.9, "light-3000": 0.8 } as const;
/** What a session is said to need, and a pod that has room for two of them and the process itself. */
const SESSION_MIB = 1000;

export type VariantName = keyof typeof SHARES;
export const VARIANTS = Object.keys(SHARES) as VariantName[];

export interface SwitcherHandle {
  readonly child: Child;
  readonly inferUrl: string;
  readonly adminUrl: string;
}

/** Models of about 4 ms on this machine, and processes that serve or run them. */
export class Rig {
  readonly folder: string;
  readonly isShort: boolean;
  readonly #variants: readonly { readonly name: string; readonly model: string; readonly sha256: string }[];

  private constructor(folder: string, isShort: boolean, layers: number) {
    this.folder = folder;
    this.isShort = isShort;
    this.#variants = VARIANTS.map(name => {
      const offset = Number(name.split("-")[1]);
      return writeModel(folder, name, imageModel(Math.round(layers * SHARES[name]), offset));
    });
  }

  /** Measures what a layer costs and makes the slowest variant take 4 ms. */
  static async calibrate(folder: string, isShort: boolean): Promise<Rig> {
    const { model } = writeModel(folder, "trial", imageModel(TRIAL_LAYERS, 0));
    const bare = await startBare([join(folder, model)], 0);
    const { cpuMs } = await bare.ask<BareAnswer>({ seconds: 2 } satisfies BareQuestion);
    await bare.stop();
    return new Rig(folder, isShort, Math.max(3, Math.round((TRIAL_LAYERS * MODEL_MS) / cpuMs)));
  }

  path(variant: VariantName): string {
    return join(this.folder, `${variant}.onnx`);
  }

  startBare(variants: readonly VariantName[], core: number | null): Promise<Child> {
    return startBare(
      variants.map(variant => this.path(variant)),
      core,
    );
  }

  /** `sessions`: how many of them memory has room for. */
  async startSwitcher(sessions: number, core: number | null): Promise<SwitcherHandle> {
    const config = join(this.folder, "switcher.json");
    const value = {
      pipeline: { namespace: "bench", name: "bench" },
      stage: "image",
      pod: "image-0",
      contract: IMAGE_CONTRACT,
      variants: this.#variants.map(variant => ({ ...variant, memoryMiB: SESSION_MIB })),
      defaultVariant: VARIANTS[0],
      modelFolder: this.folder,
      cores: 1,
      memoryMiB: (sessions + 0.5) * SESSION_MIB,
      ports: { http: 0, grpc: 0, admin: 0, metrics: 0 },
      logLevel: "error",
    };
    writeFileSync(config, JSON.stringify(value));
    const child = new Child("../test/support/switcher-process.js", ["--config", config], core);
    const { ports } = await child.receive<ListeningMessage>();
    const base = `http://127.0.0.1:${ports.http}/v2`;
    while ((await fetch(`${base}/health/ready`)).status !== 200) await new Promise(resolve => setTimeout(resolve, 20));
    const adminUrl = `http://127.0.0.1:${ports.admin}/admin/v1/assignment`;
    return { child, inferUrl: `${base}/models/image/infer`, adminUrl };
  }

  async startClient(core: number | null): Promise<Child> {
    const client = new Child("./client-process.js", [], core);
    await client.receive();
    return client;
  }
}

/** Switches and gives the times at which that began and ended, on the clock of the client's samples. */
export async function switchTo(
  { adminUrl }: SwitcherHandle,
  variant: VariantName,
): Promise<{ readonly fromMs: number; readonly toMs: number }> {
  const fromMs = performance.timeOrigin + performance.now();
  const body = JSON.stringify({ variant, batch: 1 });
  const response = await fetch(adminUrl, { method: "PUT", headers: { "if-match": "*" }, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`could not switch to ${variant}: ${text}`);
  return { fromMs, toMs: performance.timeOrigin + performance.now() };
}

async function startBare(paths: readonly string[], core: number | null): Promise<Child> {
  const bare = new Child("./bare-process.js", paths, core);
  await bare.receive();
  return bare;
}
