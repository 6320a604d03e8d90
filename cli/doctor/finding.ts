/** What one check found. */
export interface Finding {
  readonly kind: "ok" | "warn" | "fail";
  /** Name of the check, in kebab-case. */
  readonly check: string;
  /** Which object, file or address. */
  readonly where: string;
  readonly what: string;
  /** What to do; null: nothing. */
  readonly fix: string | null;
}

export function ok(check: string, where: string, what: string): Finding {
  return { kind: "ok", check, where, what, fix: null };
}

export function warn(check: string, where: string, what: string, fix: string): Finding {
  return { kind: "warn", check, where, what, fix };
}

export function fail(check: string, where: string, what: string, fix: string): Finding {
  return { kind: "fail", check, where, what, fix };
}

/** A line for each finding, its fix below it, and how many there are of each kind. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const lines = findings.map(({ kind, check, where, what, fix }) => {
    const line = `${kind.padEnd(4)}  ${check.padEnd(width)}  ${where}: ${what}`;
    return fix === null ? line : `${line}\n${" ".repeat(8 + width)}→ ${fix}`;
  });
  const count = (kind: Finding["kind"]) => findings.filter(finding => finding.kind === kind).length;
  return [...lines, `${count("ok")} ok, ${count("warn")} warnings, ${count("fail")} failures`].join("\n");
}
