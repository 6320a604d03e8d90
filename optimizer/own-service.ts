import type { GroupSize } from "./group-size.ts";
import type { ServiceTime } from "./service-time.ts";

/** What the service of groups of one size takes on top of a constant: `moreMs` + Exp(first) + with chance `secondShare` Exp(second). */
export interface ServicePart {
  /** Of the groups. */
  readonly share: number;
  readonly moreMs: number;
  readonly firstMs: number;
  readonly secondMs: number;
  readonly secondShare: number;
}

/** Service of a group that finds the replicas idle. */
export interface OwnService {
  /** Below this no group is served. */
  readonly constantMs: number;
  readonly parts: readonly ServicePart[];
}

interface Served {
  readonly batch: number;
  readonly service: ServiceTime;
}

/** Of groups of one size at n replicas; between those of the whole numbers of rows below and above. */
export function ownService(served: Served, rows: number, n: number): OwnService {
  const below = Math.floor(rows);
  const own = ofRows(served, below, n);
  const part = rows - below;
  if (part === 0) return { constantMs: own.constantMs, parts: [{ share: 1, moreMs: 0, ...own.noise }] };
  const more = ofRows(served, below + 1, n);
  const between = (a: number, b: number) => (1 - part) * a + part * b;
  const noise: Noise = {
    firstMs: between(own.noise.firstMs, more.noise.firstMs),
    secondMs: between(own.noise.secondMs, more.noise.secondMs),
    secondShare: between(own.noise.secondShare, more.noise.secondShare),
  };
  return { constantMs: between(own.constantMs, more.constantMs), parts: [{ share: 1, moreMs: 0, ...noise }] };
}

/** Of groups of several sizes. */
export function ownServices(served: Served, sizes: readonly GroupSize[], n: number): OwnService {
  const own = sizes.map(({ rows, share }) => ({ share, ...ofRows(served, rows, n) }));
  const constantMs = Math.min(...own.map(one => one.constantMs));
  const parts = own.map(one => ({ share: one.share, moreMs: one.constantMs - constantMs, ...one.noise }));
  return { constantMs, parts };
}

type Noise = Pick<ServicePart, "firstMs" | "secondMs" | "secondShare">;

function ofRows({ batch, service }: Served, rows: number, n: number): { constantMs: number; noise: Noise } {
  const rounds = Math.ceil(Math.ceil(rows / batch) / n);
  const lastRows = Math.min(batch, Math.max(1, rows - (rounds - 1) * Math.floor(n) * batch));
  const lastMs = service.meanMs(lastRows);
  const fullMs = rounds > 1 ? service.meanMs(batch) : 0;
  const meanMs = (rounds - 1) * fullMs + lastMs;
  const deviationMs = Math.sqrt(
    (rounds - 1) * service.scv(batch) * fullMs * fullMs + service.scv(lastRows) * lastMs * lastMs,
  );
  const noise = noiseOf(meanMs, deviationMs);
  // The slowest of several batches of the same size: the tail of a maximum of m is moved by θ·ln m.
  const together = Math.max(1, Math.min(n, Math.floor(rows / batch) - (rounds - 1) * Math.floor(n)));
  const shiftMs = Math.max(0, meanMs - noise.firstMs - noise.secondShare * noise.secondMs);
  return { constantMs: shiftMs + noise.secondMs * Math.log(together), noise };
}

/** Exponential parts with the variance of the service time whose means are at most its mean. */
function noiseOf(meanMs: number, deviationMs: number): Noise {
  const scv = (deviationMs / meanMs) ** 2;
  if (scv <= 0.5) {
    const partMs = deviationMs * Math.SQRT1_2;
    return { firstMs: partMs, secondMs: partMs, secondShare: 1 };
  }
  if (scv <= 1) {
    const apart = Math.sqrt(2 * scv - 1);
    return { firstMs: (meanMs * (1 - apart)) / 2, secondMs: (meanMs * (1 + apart)) / 2, secondShare: 1 };
  }
  return { firstMs: 0, secondMs: (meanMs * (1 + scv)) / 2, secondShare: 2 / (1 + scv) };
}
