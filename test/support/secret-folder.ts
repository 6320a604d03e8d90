import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsFiles } from "./certificates.ts";

/** A folder with a Secret in it, mounted and renewed as Kubernetes does: files are links through `..data`, which is swapped. */
export class SecretFolder {
  readonly path = mkdtempSync(join(tmpdir(), "variscale-secret-"));
  #versions = 0;

  constructor(files: Partial<TlsFiles>) {
    this.swap(files);
    for (const name of ["tls.crt", "tls.key", "ca.crt"]) symlinkSync(`..data/${name}`, join(this.path, name));
  }

  /** Replaces all files at once; the folder that they were in goes away. */
  swap(files: Partial<TlsFiles>): void {
    const before = `..version-${this.#versions}`;
    this.#versions += 1;
    const version = `..version-${this.#versions}`;
    mkdirSync(join(this.path, version));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.path, version, name), text);
    symlinkSync(version, join(this.path, "..data_tmp"));
    renameSync(join(this.path, "..data_tmp"), join(this.path, "..data"));
    rmSync(join(this.path, before), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
