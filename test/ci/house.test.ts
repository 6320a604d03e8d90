import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { TestFolder } from "../support/switcher-harness.ts";

const PROGRAM = join(packageFolder, "scripts/house/main.mjs");
const EXCEPTIONS = "scripts/house/exceptions.json";

/** One planted violation: the file, and what is said about it. */
interface Planted {
  readonly what: string;
  readonly path?: string;
  readonly text: string;
  readonly says: RegExp;
}

const LANGUAGE: readonly Planted[] = [
  {
    what: "a comment without a subject",
    text: "/** What is shown. */\nexport const a = 1;",
    says: /commentStart.*"What"/,
  },
  { what: "a comment that begins with Of", text: "// Of a pod.\nexport const a = 1;", says: /commentStart.*"Of"/ },
  {
    what: "a comment that explains null",
    text: "/** Null: there is none. */\nexport const a = 1;",
    says: /commentStart/,
  },
  { what: "a comment of a shell script", path: "core/a.sh", text: "# Whoever asks.\n", says: /commentStart/ },
  {
    what: "a function named by a participle",
    text: "export function found(): void {}",
    says: /functionName.*participle/,
  },
  {
    what: "a method named by a participle",
    text: "export class A {\n  #asked(): void {}\n}",
    says: /functionName.*participle/,
  },
  { what: "a participle with a particle", text: "export const keptBy = () => 1;", says: /functionName.*participle/ },
  { what: "a function that ends in Of", text: "export const cellsOf = () => 1;", says: /functionName.*"Of"/ },
  { what: "a private word in a name", text: "export const stateAnew = 1;", says: /privateWord.*"anew"/ },
  {
    what: "a private word in a comment",
    text: "// It waits for the waiters.\nexport const a = 1;",
    says: /privateWord/,
  },
  { what: "a private word as a file", path: "core/rota.ts", text: "export const a = 1;", says: /privateWord.*"rota"/ },
];

const PRIVATE: readonly Planted[] = [
  { what: "a private field", text: "export const a = socket._handle;", says: /privateName.*_handle/ },
  { what: "a private field by its text", text: 'export const a = socket["_handle"];', says: /privateName.*_handle/ },
  { what: "a private field by a template", text: "export const a = socket[`_handle`];", says: /privateName.*_handle/ },
  {
    what: "a private field by reflection",
    text: 'export const a = Reflect.get(socket, "_handle");',
    says: /privateName.*_handle/,
  },
  {
    what: "a private field in a type",
    text: "export interface A {\n  readonly _handle: number;\n}",
    says: /privateName.*_handle/,
  },
  {
    what: "a member that its library declares private",
    text: "export const a = server.http2Servers;",
    says: /privateName.*http2Servers/,
  },
  { what: "a private field taken out", text: "export const { _handle: a } = socket;", says: /privateName.*_handle/ },
  {
    what: "a symbol that is looked up",
    text: "export const a = Object.getOwnPropertySymbols(socket);",
    says: /privateName.*symbols/,
  },
  {
    what: "all keys of another's object",
    text: "export const a = Reflect.ownKeys(socket);",
    says: /privateName.*symbols/,
  },
  {
    what: "a flag of V8 under another name",
    text: 'import { setFlagsFromString as setFlags } from "node:v8";\nsetFlags("--expose-gc");',
    says: /privateName.*flag of V8/,
  },
  { what: "a flag of V8", text: 'setFlagsFromString("--expose-gc");', says: /privateName.*flag of V8/ },
  {
    what: "a flag of V8 that is read and called later",
    text: "export const f = v8.setFlagsFromString;",
    says: /privateName.*flag of V8/,
  },
  {
    what: "a flag of V8 taken out",
    text: "export const { setFlagsFromString: f } = v8;",
    says: /privateName.*flag of V8/,
  },
  {
    what: "a symbol of others",
    text: 'export const a = foreign[Symbol.for("b")];',
    says: /privateName.*symbol of others/,
  },
  { what: "a new context", text: 'export const gc = vm.runInNewContext("gc");', says: /privateName.*new context/ },
  {
    what: "listeners of others",
    text: 'export const [a] = server.listeners("stream");',
    says: /privateName.*listeners/,
  },
  {
    what: "listeners of others, as they were added",
    text: 'export const [a] = server.rawListeners("stream");',
    says: /privateName.*listeners/,
  },
  {
    what: "listeners that are taken away",
    text: 'server.removeAllListeners("stream");',
    says: /privateName.*listeners/,
  },
  { what: "a prototype's method", text: "Server.prototype.close.call(server);", says: /privateName.*prototype/ },
  {
    what: "a cast of a value of Node",
    text: 'import { Server } from "node:net";\nexport const a = Server as unknown as number;',
    says: /privateName.*cast/,
  },
  {
    what: "a made-up object of a package",
    text: 'import type { Metric } from "prom-client";\nexport const a = {} as unknown as Metric;',
    says: /privateName.*cast/,
  },
  { what: "a cast to a shape", text: "export const a = b as unknown as { readonly c: 1 };", says: /privateName.*cast/ },
  {
    what: "a cast of a parameter to a shape that the file declares",
    text: "interface Guts {\n  readonly parser: object;\n}\nexport const read = (socket: object) => (socket as unknown as Guts).parser;",
    says: /privateName.*cast/,
  },
  {
    what: "a cast that is written before its value",
    text: 'import { Server } from "node:net";\nexport const a = <number>(<unknown>Server);',
    says: /privateName.*cast/,
  },
  {
    what: "a cast in parentheses",
    text: 'import { Server } from "node:net";\nexport const a = (Server as unknown) as number;',
    says: /privateName.*cast/,
  },
  {
    what: "a cast over never",
    text: "export const a = b as never as { readonly c: 1 };",
    says: /privateName.*cast/,
  },
  {
    what: "an error of types that is silenced",
    text: "// @ts-expect-error: the type lacks it.\nexport const a = server.handle;",
    says: /privateName.*silences/,
  },
  { what: "a cast to any", text: "export const a = b as any;", says: /privateName.*cast/ },
];

const SIZES: readonly Planted[] = [
  { what: "a long file", text: "export const a = 1;\n".repeat(500), says: /fileLines: 501/ },
  {
    what: "a small file with one importer",
    path: "core/b.ts",
    text: 'export * from "./clean.ts";\n'.repeat(40),
    says: /core\/clean\.ts: smallFile/,
  },
];

describe("npm run house", () => {
  let folder: TestFolder;

  beforeEach(() => {
    folder = new TestFolder();
    write("core/clean.ts", "/** A sentence. */\nexport const isClean = true;\n");
  });
  afterEach(() => folder.delete());

  function write(path: string, text: string): void {
    const file = join(folder.path, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  function house(...args: readonly string[]) {
    return spawnSync(process.execPath, [PROGRAM, "--root", folder.path, ...args], { encoding: "utf8" });
  }

  it("passes where no rule is broken", () => {
    const { status, stderr } = house("--exact");
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });

  for (const { what, path = "core/planted.ts", text, says } of [...LANGUAGE, ...PRIVATE, ...SIZES]) {
    it(`finds ${what}`, () => {
      write(path, `${text}\n`);
      const { status, stderr } = house();
      assert.match(stderr, says);
      assert.equal(status, 1);
    });
  }

  it("finds full folders, and too many at the top", () => {
    for (let i = 0; i < 26; i += 1) write(`core/many/f${i}.ts`, "export {};\n");
    for (let i = 0; i < 19; i += 1) write(`top-${i}/a.ts`, "export {};\n");
    const { stderr } = house();
    assert.match(stderr, /core\/many: folderFiles: 26/);
    assert.match(stderr, /topLevelFolders: 20/);
  });

  it("lets tests reach into what they test, and leaves ordinary names alone", () => {
    write("test/a.test.ts", "export const a = socket._handle;\n");
    write(
      "core/verbs.ts",
      `${["feed", "proceed", "exceed", "isFound", "reread", "findLast"].map(name => `export function ${name}() {}`).join("\n")}\n`,
    );
    write("core/values.ts", "export const found = 1;\nexport const lastOf = 2;\nthis.removeAllListeners();\n");
    assert.equal(house().stderr, "");
  });

  it("takes exceptions that are there, and no more; they only shrink", () => {
    write("core/old.ts", "// Of a pod.\nexport const a = 1;\n\n// What it is.\nexport const b = 2;\n");
    write(EXCEPTIONS, JSON.stringify([{ path: "core/old.ts", rule: "commentStart", count: 3 }]));
    assert.equal(house().status, 0);
    const exact = house("--exact");
    assert.match(exact.stderr, /core\/old\.ts: commentStart: the exception allows 3/);
    assert.equal(exact.status, 1);
    assert.equal(house("--shrink").status, 0);
    assert.deepEqual(JSON.parse(readFileSync(join(folder.path, EXCEPTIONS), "utf8")), [
      { path: "core/old.ts", rule: "commentStart", count: 2 },
    ]);
    assert.equal(house("--exact").status, 0);
    write("core/old.ts", "// Of a pod.\nexport const a = 1;\n\n// What it is.\nexport const b = 2;\n\n// So it is.\n");
    assert.equal(house("--shrink").status, 1, "shrinking raises nothing");
    assert.match(house().stderr, /core\/old\.ts:7: commentStart/);
  });

  it("keeps the exceptions of a file that was moved, and lets go of those of one that is gone", () => {
    const text = "// Of a pod.\nexport const a = 1;\n";
    write("core/old.ts", text);
    write(EXCEPTIONS, JSON.stringify([{ path: "core/old.ts", rule: "commentStart", count: 1 }]));
    rmSync(join(folder.path, "core/old.ts"));
    write("core/pods/old.ts", text);
    assert.equal(house("--shrink").status, 0);
    assert.match(readFileSync(join(folder.path, EXCEPTIONS), "utf8"), /core\/pods\/old\.ts/);
    rmSync(join(folder.path, "core/pods/old.ts"));
    assert.equal(house("--exact").status, 1);
    house("--shrink");
    assert.deepEqual(JSON.parse(readFileSync(join(folder.path, EXCEPTIONS), "utf8")), []);
  });

  it("takes private names with a reason, and counts the others", () => {
    write("core/reaching.ts", "export const a = socket._handle;\nexport const b = socket._state;\n");
    const allow = (reason: string) =>
      write(
        "scripts/house/allowed-private-names.json",
        JSON.stringify([{ path: "core/reaching.ts", kind: "field", count: 1, reason }]),
      );
    allow("Node has no public way to it.");
    const { privateNames } = JSON.parse(house("--output", "json").stdout);
    assert.equal(privateNames, 1);
    allow("");
    assert.match(house().stderr, /needs a reason/);
  });
});
