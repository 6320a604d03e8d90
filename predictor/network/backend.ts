/** tfjs, where it computes best. */
import util from "node:util";
import type * as Tf from "@tensorflow/tfjs-core";
import type * as Layers from "@tensorflow/tfjs-layers";
import { VariscaleError } from "../../domain/errors.ts";

/** Where tensors are computed. */
export interface Backend {
  readonly tf: typeof Tf;
  readonly name: BackendName;
  /** Loads the networks that can be trained there: who only predicts does without them. */
  readonly importLayers: () => Promise<typeof Layers>;
}

/** Fastest first for training. */
export const BACKENDS = ["tensorflow", "wasm", "cpu"] as const;
export type BackendName = (typeof BACKENDS)[number];

/** By a variable, so that no compiler and no bundler asks for what is optional. */
const NATIVE = "@tensorflow/tfjs-node";

/**
 * The first of `names` that loads: `tensorflow` where `@tensorflow/tfjs-node` is installed, `wasm`, `cpu`. Throws with the reasons of
 * all when none does.
 *
 * @param onRefused called with each that does not load and why.
 */
export async function openBackend(
  names: readonly BackendName[] = BACKENDS,
  onRefused: (name: BackendName, reason: string) => void = () => undefined,
): Promise<Backend> {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      // The native one brings its own copy of tfjs-core, unless the package manager shares ours with it.
      const { tf, importLayers } = name === "tensorflow" ? await importNative() : await importPure(name);
      // Without checks of every number, and without advice to install the native one.
      tf.enableProdMode();
      if (!(await tf.setBackend(name))) throw new Error(`tfjs can't initialise ${name}`);
      await tf.ready();
      tryOneOperation(tf);
      return { tf, name, importLayers };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons.push(`${name}: ${reason}`);
      onRefused(name, reason);
    }
  }
  throw new VariscaleError("unavailable", `no backend of tfjs loads: ${reasons.join("; ")}`);
}

/** A backend may load on a Node that it does not work on, where only its operations fail. */
function tryOneOperation(tf: typeof Tf): void {
  const sum = tf.tidy(() => tf.add(tf.tensor1d([1, 2]), tf.tensor1d([3, 4])).dataSync()[1]);
  if (sum !== 6) throw new Error(`tfjs says that 2 + 4 is ${sum}`);
}

async function importNative(): Promise<Omit<Backend, "name">> {
  // The native backend still calls these functions of `node:util`, which Node 23 removed.
  const removed = {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: Array.isArray,
  };
  Object.assign(util, Object.fromEntries(Object.entries(removed).filter(([name]) => !(name in util))));
  const loaded = (await import(NATIVE)) as { default?: typeof Tf & typeof Layers } & typeof Tf & typeof Layers;
  const both = loaded.default ?? loaded;
  return { tf: both, importLayers: async () => both };
}

async function importPure(name: "wasm" | "cpu"): Promise<Omit<Backend, "name">> {
  if (name === "wasm") await import("@tensorflow/tfjs-backend-wasm");
  else await import("@tensorflow/tfjs-backend-cpu");
  return { tf: await import("@tensorflow/tfjs-core"), importLayers: () => import("@tensorflow/tfjs-layers") };
}
