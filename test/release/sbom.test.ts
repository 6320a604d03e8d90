import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { packageFolder, packageVersion } from "../../runtime/version.ts";

interface Sbom {
  readonly bomFormat: string;
  readonly serialNumber: string;
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } };
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly licenses?: readonly unknown[];
    readonly hashes?: readonly unknown[];
  }[];
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly dev?: boolean; readonly peer?: boolean }>
  >;
}

const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};

function write(...args: readonly string[]): string {
  const env = { ...process.env, SOURCE_DATE_EPOCH: "1700000000" };
  const script = join(packageFolder, "scripts/write-sbom.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8", env });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe("npm run sbom", function () {
  this.timeout(60_000);
  // An installed package has none.
  const lockFile = join(packageFolder, "package-lock.json");

  it("names every production dependency of the lock file with its version, and no development dependency", () => {
    assert.ok(existsSync(lockFile));
    const { packages } = JSON.parse(readFileSync(lockFile, "utf8")) as Lock;
    const sbom = JSON.parse(write()) as Sbom;
    assert.equal(sbom.bomFormat, "CycloneDX");
    assert.deepEqual([sbom.metadata.component.name, sbom.metadata.component.version], ["variscale", packageVersion]);
    const named = new Set(sbom.components.map(({ name, version }) => `${name}@${version}`));
    // References are by name and version: each is there once.
    assert.equal(named.size, sbom.components.length);
    const locked = Object.entries(packages).filter(([path, { dev }]) => path !== "" && dev !== true);
    const wanted = new Set(locked.map(([path, { version }]) => `${path.split("node_modules/").at(-1)}@${version}`));
    assert.deepEqual([...named].sort(), [...wanted].sort());
    for (const [name, version] of Object.entries(manifest.dependencies))
      assert.ok(named.has(`${name}@${version}`), name);
    assert.deepEqual(
      sbom.components.filter(({ hashes = [] }) => hashes.length === 0).map(({ name }) => name),
      [],
    );
  });

  it("gives the same bytes for the same lock file", () => {
    const first = write();
    assert.equal(write(), first);
    assert.match(
      (JSON.parse(first) as Sbom).serialNumber,
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    assert.match(first, /"timestamp": "2023-11-14T22:13:20\.000Z"/);
  });

  it("names only what is installed, where a folder is given", () => {
    const folder = mkdtempSync(join(tmpdir(), "variscale-sbom-"));
    try {
      mkdirSync(join(folder, "yaml"));
      writeFileSync(join(folder, "yaml/package.json"), "{}");
      const file = join(folder, "sbom.json");
      assert.equal(write("--installed", folder, "--output", file), "");
      const sbom = JSON.parse(readFileSync(file, "utf8")) as Sbom;
      assert.deepEqual(
        sbom.components.map(({ name }) => name),
        ["yaml"],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
