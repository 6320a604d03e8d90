import { type Finding, fail, ok, warn } from "./finding.ts";

/** Of this package's versions, one minor apart works: the protocols are negotiated. */
const MOST_MINORS_APART = 1;

/** Whether the scaler's version fits that of this doctor, whose checks are of its own version. */
export function checkScalerVersion(version: string | null, own: string, where: string): Finding {
  if (version === null)
    return warn("versions", where, "does not tell its version: it is older than this doctor", "upgrade the scaler");
  if (areNear(version, own)) return ok("versions", where, `runs ${version}`);
  return warn("versions", where, `runs ${version}, and this doctor is ${own}`, `run the doctor of ${version}`);
}

/**
 * Whether the versions of a pipeline's switchers fit the scaler's.
 *
 * @param versions of the switchers that are connected.
 */
export function checkSwitcherVersions(versions: readonly string[], scaler: string, where: string): Finding {
  const counts = new Map<string, number>();
  for (const version of versions) counts.set(version, (counts.get(version) ?? 0) + 1);
  const told = [...counts].map(([version, count]) => `${count} × ${version}`).join(", ");
  const far = [...counts.keys()].filter(version => !areNear(version, scaler));
  if (far.length > 0)
    return fail(
      "versions",
      where,
      `switchers run ${told}, and the scaler ${scaler}: at most one minor version apart is tested`,
      "upgrade in steps of one minor version, the scaler first",
    );
  if (counts.size > 1)
    return warn("versions", where, `switchers run ${told}`, "none during a rollout; else see why it does not end");
  if (counts.size === 0) return ok("versions", where, "no switcher is connected: replicas follow, variants stay");
  return ok("versions", where, `switchers run ${told}`);
}

function areNear(one: string, other: string): boolean {
  const [first, second] = [parts(one), parts(other)];
  if (!first || !second) return one === other;
  return first.major === second.major && Math.abs(first.minor - second.minor) <= MOST_MINORS_APART;
}

function parts(version: string): { readonly major: number; readonly minor: number } | null {
  const found = /^v?(\d+)\.(\d+)\./.exec(version);
  return found ? { major: Number(found[1]), minor: Number(found[2]) } : null;
}
