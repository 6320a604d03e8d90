import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "../../runtime/logger.ts";
import { type Switcher, type SwitcherOptions, startSwitcher } from "../../variant-switcher/main.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import type { SwitchRecord } from "../../variant-switcher/switching/switch-history.ts";
import { AFFINE_CONTRACT, affineModel, writeModel } from "./models.ts";

const silent = createLogger("test", "silent");

export interface InferAnswer {
  readonly status: number;
  readonly body: {
    readonly model_version?: string;
    readonly error?: string;
    readonly code?: string;
    readonly outputs?: readonly { readonly data: readonly number[]; readonly shape: readonly number[] }[];
  };
}

/** A folder that is gone after the test. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), "variscale-"));

  delete(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Three affine variants of one stage: a doubles and adds 1, b triples and adds 5, c multiplies by 10. */
export function affineConfig(folder: string, above: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    pipeline: { namespace: "default", name: "test" },
    stage: "affine",
    pod: "affine-0",
    contract: AFFINE_CONTRACT,
    variants: [
      writeModel(folder, "a", affineModel(2, 1)),
      writeModel(folder, "b", affineModel(3, 5)),
      writeModel(folder, "c", affineModel(10, 0)),
    ],
    defaultVariant: "a",
    modelFolder: folder,
    ports: { http: 0, grpc: 0, admin: 0, metrics: 0 },
    memoryMiB: 8192,
    queue: { maxRows: 1024, maxBytes: 4 * 1024 * 1024 },
    ...above,
  };
}

/** What each of affineConfig()'s variants makes of x. */
export const AFFINE: Readonly<Record<string, (x: number) => number>> = {
  a: x => 2 * x + 1,
  b: x => 3 * x + 5,
  c: x => 10 * x,
};

/** A real switcher and short ways to talk to it. */
export class TestSwitcher {
  readonly switcher: Switcher;
  readonly stage: string;

  private constructor(switcher: Switcher, stage: string) {
    this.switcher = switcher;
    this.stage = stage;
  }

  static async start(
    config: Record<string, unknown>,
    options: Partial<Omit<SwitcherOptions, "config">> = {},
  ): Promise<TestSwitcher> {
    const switcher = await startSwitcher({ config: parseSwitcherConfig(config), logger: silent, ...options });
    return new TestSwitcher(switcher, String(config["stage"]));
  }

  static async startReady(
    config: Record<string, unknown>,
    options: Partial<Omit<SwitcherOptions, "config">> = {},
  ): Promise<TestSwitcher> {
    const started = await TestSwitcher.start(config, options);
    try {
      await started.untilReady();
    } catch (error) {
      await started.close();
      throw error;
    }
    return started;
  }

  get inferUrl(): string {
    return `http://127.0.0.1:${this.switcher.ports.http}/v2/models/${this.stage}/infer`;
  }

  http(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.switcher.ports.http}${path}`, init);
  }

  admin(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.switcher.ports.admin}/admin/v1/${path}`, init);
  }

  pin(variant: string, batch = 1, ttlMs?: number): Promise<Response> {
    const body = JSON.stringify({ variant, batch, ...(ttlMs !== undefined && { ttlMs }) });
    return this.admin("assignment", { method: "PUT", headers: { "if-match": "*" }, body });
  }

  /** Sends rows of two equal elements to an affine stage. */
  async infer(rows: readonly number[], more: Record<string, unknown> = {}): Promise<InferAnswer> {
    const data = rows.flatMap(row => [row, row]);
    const inputs = [{ name: "x", datatype: "FP32", shape: [rows.length, 2], data }];
    const response = await fetch(this.inferUrl, { method: "POST", body: JSON.stringify({ inputs, ...more }) });
    return { status: response.status, body: (await response.json()) as InferAnswer["body"] };
  }

  async switches(): Promise<readonly SwitchRecord[]> {
    return ((await (await this.admin("switches")).json()) as { switches: SwitchRecord[] }).switches;
  }

  async variants(): Promise<Record<string, { state: string; reason: string }>> {
    const { variants } = (await (await this.admin("variants")).json()) as {
      variants: { variant: string; state: string; reason: string }[];
    };
    return Object.fromEntries(variants.map(({ variant, ...state }) => [variant, state]));
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.switcher.ports.metrics}/metrics`)).text();
  }

  untilReady(): Promise<void> {
    return until(async () => (await this.http("/v2/health/ready")).status === 200, "ready");
  }

  close(graceMs = 2000): Promise<void> {
    return this.switcher.close(graceMs);
  }
}

/** Waits until the condition holds; fails after 120 s. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 120_000;
  while (!(await condition())) {
    assert.ok(performance.now() < endMs, `not ${what} after 120 s`);
    await sleep(5);
  }
}

export async function errorOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: string }).error;
}
