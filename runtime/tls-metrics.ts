import { Counter, Gauge, type Registry } from "prom-client";
import type { TlsFolder } from "./tls-folder.ts";

/** What this process's certificates are like, read when the metrics are asked for. */
export function addTlsMetrics(registry: Registry, tls: TlsFolder): void {
  const registers = [registry];
  const expiry: Gauge<"file"> = new Gauge({
    name: "variscale_tls_certificate_expiry_timestamp_seconds",
    help: "When the certificate that is in use ends, in seconds since 1970",
    labelNames: ["file"] as const,
    registers,
    collect: () => {
      for (const [file, atMs] of Object.entries(tls.material.expiresAtMs)) expiry.set({ file }, atMs / 1000);
    },
  });
  const current: Gauge = new Gauge({
    name: "variscale_tls_files_current",
    help: "1: the files in the TLS folder are in use and valid; 0: the last good ones are in use",
    registers,
    collect: () => current.set(tls.problem === null ? 1 : 0),
  });
  const reloads: Counter<"outcome"> = new Counter({
    name: "variscale_tls_reloads_total",
    help: "Changes of the files in the TLS folder, by what came of them",
    labelNames: ["outcome"] as const,
    registers,
    collect: () => {
      reloads.reset();
      for (const [outcome, count] of Object.entries(tls.reloads)) reloads.inc({ outcome }, count);
    },
  });
}
