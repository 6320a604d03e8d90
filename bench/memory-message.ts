/** What a measured server says about itself when it is asked. */
export interface MemoryMessage {
  readonly kind: "memory";
  /** Bytes. */
  readonly rss: number;
  readonly heapUsed: number;
  /** Microseconds since its start. */
  readonly cpu: { readonly user: number; readonly system: number };
}

export function memoryMessage(): MemoryMessage {
  const { rss, heapUsed } = process.memoryUsage();
  return { kind: "memory", rss, heapUsed, cpu: process.cpuUsage() };
}
