import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../../../runtime/version.ts";
import { affineModel } from "../../support/models.ts";
import { TestFolder } from "../../support/switcher-harness.ts";
import { writeTinyPipeline } from "./tiny-pipeline.ts";
import { type WheelFile, writeWheel } from "./wheel.ts";

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface RigOptions {
  readonly files?: Readonly<Record<string, WheelFile>>;
  readonly sizeMiB?: number;
  /** Of the wheel, as the pipeline file pins it. */
  readonly wheelSha256?: string;
  readonly sourceSha256?: string;
  readonly path?: string;
}

const MODEL = affineModel(2, 0.5);
const MODEL_SHA256 = createHash("sha256").update(MODEL).digest("hex");
export const LICENCE = "Do as you please.";

/** The tiny pipeline with a variant `first/best` from a package, a local folder where pip looks alone, and caches of its own. */
export class InstallRig {
  readonly folder = new TestFolder();
  readonly pipeline = join(this.folder.path, "tiny");
  readonly models = join(this.folder.path, "models");
  readonly cache = join(this.folder.path, "cache");
  readonly packages = join(this.cache, "variscale/packages");
  readonly wheels = join(this.folder.path, "wheels");

  constructor(options: RigOptions = {}) {
    const { path = "shop/best.onnx", sizeMiB = 1, sourceSha256 = MODEL_SHA256 } = options;
    const files = options.files ?? { [path]: MODEL, "shop_models-1.2.0.dist-info/LICENSE": Buffer.from(LICENCE) };
    const wheel = writeWheel(this.wheels, "shop_models", "1.2.0", files);
    mkdirSync(this.pipeline);
    writeTinyPipeline(this.pipeline);
    // Its other models are where the models go.
    writeTinyPipeline(this.#make(this.models));
    const file = join(this.pipeline, "pipeline.yaml");
    const document = JSON.parse(readFileSync(file, "utf8"));
    document.spec.packages = [
      {
        name: "shop-models",
        version: "1.2.0",
        sha256: options.wheelSha256 ?? wheel.sha256,
        sizeMiB,
        licence: {
          name: "LicenseRef-Shop",
          notice: "Copyright the shop.",
          files: ["shop_models-1.2.0.dist-info/LICENSE"],
        },
      },
    ];
    const [first] = document.spec.stages;
    const profile = { cores: 1, loadMs: 20, points: [{ batch: 1, latencyMs: 30 }] };
    const best = {
      name: "best",
      model: "first-best.onnx",
      sha256: MODEL_SHA256,
      package: "shop-models",
      accuracy: 0.99,
    };
    first.variants.push({ ...best, profile });
    writeFileSync(file, JSON.stringify(document));
    const code = join(this.pipeline, "code.mjs");
    const source = { kind: "python", package: "shop-models", path };
    const recipe = { file: "first-best.onnx", source, sourceSha256, edits: [], sha256: MODEL_SHA256 };
    writeFileSync(code, `${readFileSync(code, "utf8")}\nexport const modelRecipes = [${JSON.stringify(recipe)}];\n`);
  }

  /** A command in a folder of its own that does this and then, if it still can, what Python does. */
  python(script: string): string {
    const path = join(this.#make(join(this.folder.path, "bin")), "python-in-test");
    writeFileSync(path, `#!/bin/sh\n${script}\nexec python3 "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(process.execPath, [join(packageFolder, "dist/cli/main.js"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000,
      env: {
        ...process.env,
        XDG_CACHE_HOME: this.cache,
        PIP_CONFIG_FILE: "/dev/null",
        PIP_NO_INDEX: "1",
        PIP_FIND_LINKS: this.wheels,
        ...env,
      },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    const ended = new Promise<Ended>(resolve => {
      child.once("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
    });
    return { child, ended };
  }

  install(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(["models", "install", this.pipeline, "--model-folder", this.models, ...args], env).ended;
  }

  delete(): void {
    this.folder.delete();
  }

  #make(path: string): string {
    mkdirSync(path, { recursive: true });
    return path;
  }
}
