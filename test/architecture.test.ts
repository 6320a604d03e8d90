import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "mocha";
import { packageFolder } from "../runtime/version.ts";

/** What each folder may import: other folders of ours, and packages. `node:` stands for the modules of Node. */
const MAY_IMPORT: Readonly<
  Record<string, { readonly folders: readonly string[]; readonly packages: readonly string[] }>
> = {
  domain: { folders: [], packages: ["zod", "yaml"] },
  load: { folders: ["domain"], packages: [] },
  predictor: { folders: ["domain", "load"], packages: [] },
  optimizer: { folders: ["domain"], packages: [] },
  explanation: { folders: ["domain", "optimizer"], packages: [] },
  control: { folders: ["domain", "predictor", "optimizer"], packages: [] },
  runtime: {
    folders: ["domain"],
    packages: [
      "node:",
      "fastify",
      "pino",
      "prom-client",
      "@grpc/grpc-js",
      "@grpc/proto-loader",
      "@grpc/reflection",
      "grpc-health-check",
      "protobufjs",
      "@opentelemetry",
      "undici",
      "yaml",
      "zod",
    ],
  },
  scaler: {
    folders: ["domain", "load", "control", "predictor", "optimizer", "explanation", "dashboard", "runtime", "proto"],
    packages: ["node:", "pino", "prom-client", "@grpc/grpc-js", "zod"],
  },
  dashboard: { folders: ["domain", "optimizer", "explanation", "control"], packages: ["uplot"] },
  "variant-switcher": {
    folders: ["domain", "runtime", "proto"],
    packages: ["node:", "pino", "prom-client", "@grpc/grpc-js", "onnxruntime-node", "protobufjs/minimal.js"],
  },
  gateway: { folders: ["domain", "runtime"], packages: ["node:", "pino", "prom-client"] },
  simulator: {
    folders: ["domain", "load", "control", "predictor", "optimizer", "gateway", "variant-switcher"],
    packages: [],
  },
  agent: {
    folders: ["domain", "load", "predictor", "optimizer", "control", "simulator"],
    packages: ["zod"],
  },
  models: { folders: ["domain", "runtime"], packages: ["node:", "protobufjs"] },
  profiler: {
    folders: ["domain", "gateway", "models", "runtime", "variant-switcher"],
    packages: ["node:", "onnxruntime-node", "pino"],
  },
  pipelines: { folders: ["domain", "gateway", "models", "runtime"], packages: ["node:", "sharp", "opentype.js"] },
  proto: { folders: [], packages: ["@grpc/grpc-js", "@grpc/proto-loader"] },
};

/** What single files may import beyond their folder. */
const ALONE_MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "predictor/network/backend.ts": [
    "node:",
    "@tensorflow/tfjs-core",
    "@tensorflow/tfjs-layers",
    "@tensorflow/tfjs-backend-wasm",
    "@tensorflow/tfjs-backend-cpu",
  ],
  // Loaded when a model is asked, so that nothing else pays for it.
  "agent/llm-loop.ts": ["ai", "@ai-sdk/openai-compatible"],
};

/** Files of pure folders that reach for the world: the network, and time that really passes. */
const SHELLS: readonly string[] = ["agent/llm-loop.ts"];

const PURE = ["domain", "load", "predictor", "optimizer", "explanation", "control", "simulator", "agent"];
const IMPURE =
  /\bDate\.now\(|\bMath\.random\(|\bprocess\.[a-z]|\bsetTimeout\(|\bsetInterval\(|\bnew Date\(\)|\bperformance\.|\bconsole\./;

interface Source {
  readonly path: string;
  readonly text: string;
}

/** One line for every import that the table does not allow. */
function violations(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const folder = path.split("/")[0] ?? "";
    const rule = MAY_IMPORT[folder];
    if (!rule) return [];
    const found: string[] = [];
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith(".")) {
        const target = relative(packageFolder, resolve(packageFolder, dirname(path), specifier)).split("/")[0] ?? "";
        if (target !== folder && !rule.folders.includes(target)) found.push(`${path} imports ${specifier}`);
        continue;
      }
      const allowed = [...rule.packages, ...(ALONE_MAY_IMPORT[path] ?? [])].some(name =>
        name === "node:" ? specifier.startsWith(name) : specifier === name || specifier.startsWith(`${name}/`),
      );
      if (!allowed) found.push(`${path} imports ${specifier}`);
    }
    if (PURE.includes(folder) && !SHELLS.includes(path) && IMPURE.test(text))
      found.push(`${path} uses time, randomness or the process: ${IMPURE.exec(text)?.[0]}`);
    return found;
  });
}

function importsOf(text: string): string[] {
  const pattern = /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g;
  return [...text.matchAll(pattern)].map(match => match[1] ?? match[2] ?? "");
}

/** Those that are loaded with the file: types are not, and neither is what it imports later. */
function staticImportsOf(text: string): string[] {
  const pattern = /(?:^|\n)\s*(?:import|export)\s(?!type\s)(?:[^"';]*?\sfrom\s)?"([^"]+)"/g;
  return [...text.matchAll(pattern)].map(match => match[1] ?? "");
}

/** All files and packages that are loaded with a file. */
function loadedWith(path: string): { readonly loaded: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const loaded = new Set<string>();
  const packages = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const specifier of staticImportsOf(readFileSync(join(packageFolder, file), "utf8"))) {
      if (specifier.startsWith(".")) load(relative(packageFolder, resolve(packageFolder, dirname(file), specifier)));
      else packages.add(specifier);
    }
  };
  load(path);
  return { loaded, packages };
}

function sourcesOf(folder: string): Source[] {
  return readdirSync(join(packageFolder, folder), { recursive: true, encoding: "utf8" })
    .filter(name => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map(name => ({ path: `${folder}/${name}`, text: readFileSync(join(packageFolder, folder, name), "utf8") }));
}

describe("direction of imports", () => {
  const present = readdirSync(packageFolder);
  const sources = Object.keys(MAY_IMPORT)
    .filter(folder => present.includes(folder))
    .flatMap(sourcesOf);

  it("looks at the whole code base", () => {
    assert.ok(sources.length > 60, `only ${sources.length} files were found`);
  });

  it("is as docs/architecture.md says", () => {
    assert.deepEqual(violations(sources), []);
  });

  it("would find a planted violation of every kind", () => {
    const planted: Source[] = [
      { path: "domain/planted.ts", text: 'import { x } from "../scaler/main.ts";' },
      { path: "control/planted.ts", text: 'import type { Server } from "@grpc/grpc-js";' },
      { path: "optimizer/planted.ts", text: 'import {\n  readFileSync,\n} from "node:fs";' },
      { path: "scaler/planted.ts", text: 'export { y } from "../variant-switcher/main.ts";' },
      { path: "gateway/planted.ts", text: 'const m = await import("../cli/main.ts");' },
      { path: "predictor/planted.ts", text: 'import * as tf from "@tensorflow/tfjs-core";' },
      { path: "agent/planted.ts", text: 'import { generateText } from "ai";' },
      { path: "agent/planted.ts", text: 'import { startScaler } from "../scaler/main.ts";' },
      { path: "agent/planted.ts", text: "export const now = () => performance.now();" },
      { path: "predictor/planted.ts", text: "export const now = () => Date.now();" },
    ];
    for (const source of planted) assert.equal(violations([source]).length, 1, source.path);
  });

  it("loads no package of the command line before the command that needs it", () => {
    const { loaded, packages } = loadedWith("cli/program.ts");
    assert.ok(loaded.size > 20 && packages.has("commander"), [...loaded].join(" "));
    for (const name of ["@modelcontextprotocol/server", "fastify", "onnxruntime-node", "@grpc/grpc-js", "protobufjs"])
      assert.deepEqual(
        [...packages].filter(one => one === name || one.startsWith(`${name}/`)),
        [],
      );
  });

  it("loads with a scaler no part of it that only an option asks for", () => {
    const { loaded } = loadedWith("scaler/main.ts");
    const optional =
      /kubernetes|cluster|lease-|high-availability|ha-metrics|shared-board|board-publisher|event-recorder|pipeline-watch|status-writer|object-status|token-review|keda-(thread|feed)|prometheus-(client|source)/;
    assert.ok(loaded.has("scaler/scaler-core.ts"));
    assert.deepEqual(
      [...loaded].filter(path => optional.test(path)),
      [],
    );
  });

  it("has exactly one control loop: only scaler/pipeline-control.ts and the simulator call tick()", () => {
    const callers = sources.filter(({ text }) => /from "\.\.\/control\/tick\.ts"/.test(text)).map(({ path }) => path);
    assert.deepEqual(
      callers.filter(path => !path.startsWith("simulator/")),
      ["scaler/pipeline-control.ts"],
    );
  });
});
