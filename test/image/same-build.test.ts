import assert from "node:assert/strict";
import type Crypto from "node:crypto";
import type FileSystem from "node:fs";
import { describe, it } from "mocha";
import { inspectImage, runToEnd, type Target } from "./container.ts";

/** What an engine makes itself in a container that runs. */
const OF_THE_ENGINE = [
  ...["/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp"],
  ...["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv"],
];

/**
 * Runs inside an image, and prints a line for all that there is: path, kind and rights, owner, and of what is no folder its size, time in
 * seconds and content. The times of folders are the engine's.
 */
function listFiles(leftOut: readonly string[], fs: typeof FileSystem, crypto: typeof Crypto): void {
  const lines: string[] = [];
  const contentOf = (path: string, stats: FileSystem.Stats): string => {
    if (stats.isSymbolicLink()) return fs.readlinkSync(path);
    return stats.isFile() ? crypto.createHash("sha256").update(fs.readFileSync(path)).digest("hex") : "";
  };
  const visit = (path: string): void => {
    if (leftOut.includes(path)) return;
    const stats = fs.lstatSync(path);
    const { mode, uid, gid, size, mtimeMs } = stats;
    const owned = `${path} ${mode.toString(8)} ${uid}:${gid}`;
    if (!stats.isDirectory()) {
      lines.push(`${owned} ${size} ${Math.floor(mtimeMs / 1000)} ${contentOf(path, stats)}`);
      return;
    }
    lines.push(owned);
    for (const name of fs.readdirSync(path).sort()) visit(path === "/" ? `/${name}` : `${path}/${name}`);
  };
  visit("/");
  process.stdout.write(lines.join("\n"));
}

/** As root, who owns what only its owner may read. */
function filesOf(target: Target): readonly string[] {
  const code = `(${listFiles.toString()})(${JSON.stringify(OF_THE_ENGINE)}, require("node:fs"), require("node:crypto"))`;
  const { status, stdout, stderr } = runToEnd(["-e", code], { target, engine: ["--entrypoint=node", "--user=0:0"] });
  assert.equal(status, 0, stderr);
  return stdout.split("\n");
}

describe("two builds of the same files", () => {
  it("have the same paths, rights, owners, times and contents", () => {
    const first = filesOf("all");
    const again = filesOf("again");
    assert.ok(first.filter(line => line.startsWith("/app/node_modules/")).length > 1000, `${first.length} files`);
    assert.ok(first.some(line => /^\/app\/sbom\.cdx\.json \d+ \d+:\d+ \d+ 499162500 [0-9a-f]{64}$/.test(line)));
    const known = new Set(first);
    const others = new Set(again);
    assert.deepEqual(
      { gone: first.filter(line => !others.has(line)), come: again.filter(line => !known.has(line)) },
      { gone: [], come: [] },
    );
  });

  it("run alike", () => {
    assert.deepEqual(
      JSON.parse(inspectImage("{{json .Config}}", "again")),
      JSON.parse(inspectImage("{{json .Config}}")),
    );
    const layersOf = (target: Target) => JSON.parse(inspectImage("{{json .RootFS.Layers}}", target)) as string[];
    const [first, again] = [layersOf("all"), layersOf("again")];
    assert.equal(again.length, first.length);
    const same = first.filter((digest, i) => again[i] === digest).length;
    process.stdout.write(`      ${same} of ${first.length} layers have the same digest\n`);
  });
});
