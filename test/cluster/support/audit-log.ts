import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** One sync of an HPA: it asked for the metric of its first trigger. */
export interface HpaSync {
  readonly namespace: string;
  readonly scaledObject: string;
  /** When the API server had the request, ms since 1970. */
  readonly atMs: number;
  /** HTTP status of the answer. */
  readonly status: number;
}

/** Logs every question for an external metric; only HPAs ask them. */
export const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata", resources: [{ group: "external.metrics.k8s.io" }] }, { level: "None" }],
};

interface AuditEvent {
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: { readonly namespace?: string };
  readonly responseStatus?: { readonly code?: number };
}

/** The syncs of all HPAs so far, read from the API server's audit log. */
export class AuditLog {
  readonly #file: string;
  readonly #syncs: HpaSync[] = [];
  #offset = 0;
  #rest = "";

  constructor(file: string) {
    this.#file = file;
  }

  /** Syncs of the HPA of a ScaledObject that began after `sinceMs`. */
  syncs(namespace: string, scaledObject: string, sinceMs: number): readonly HpaSync[] {
    this.#read();
    return this.#syncs.filter(
      sync => sync.namespace === namespace && sync.scaledObject === scaledObject && sync.atMs > sinceMs,
    );
  }

  #read(): void {
    const file = openSync(this.#file, "r");
    try {
      const size = fstatSync(file).size - this.#offset;
      if (size <= 0) return;
      const bytes = Buffer.alloc(size);
      this.#offset += readSync(file, bytes, 0, size, this.#offset);
      const lines = (this.#rest + bytes.toString("utf8")).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line) as AuditEvent);
    } finally {
      closeSync(file);
    }
  }

  #take(event: AuditEvent): void {
    const selector = new URL(event.requestURI, "http://x").searchParams.get("labelSelector");
    const scaledObject = /scaledobject\.keda\.sh\/name=([^,]+)/.exec(selector ?? "")?.[1];
    // One question of a sync: that for the metric of the first trigger.
    if (scaledObject === undefined || !event.requestURI.includes("/s0-")) return;
    this.#syncs.push({
      namespace: event.objectRef?.namespace ?? "",
      scaledObject,
      atMs: Date.parse(event.requestReceivedTimestamp),
      status: event.responseStatus?.code ?? 0,
    });
  }
}
