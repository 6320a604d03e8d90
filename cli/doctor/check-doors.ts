import { type Finding, ok, warn } from "./finding.ts";

/** A scaler says over HTTP who gets in; scalers of earlier versions say nothing. */
export interface Doors {
  /** Changes must show the token, or come from its own machine; `missing_token`: none is taken. */
  readonly changes?: string | undefined;
  /** KEDA and switchers must show a certificate. */
  readonly mutualTls?: boolean | undefined;
  /** Null or missing: nobody asks switchers who they are. */
  readonly switcherIdentity?: object | null | undefined;
}

/** Tells what keeps others of the cluster out of a scaler, and what is off. */
export function checkDoors({ changes, mutualTls, switcherIdentity }: Doors, where: string): Finding[] {
  return [...checkChanges(changes, where), ...checkCertificates(mutualTls, switcherIdentity ?? null, where)];
}

function checkChanges(changes: string | undefined, where: string): Finding[] {
  if (changes === "token") return [ok("changes", where, "takes changes with its token alone")];
  if (changes === "missing_token")
    return [
      warn(
        "changes",
        where,
        "has no token, and so takes no change (pins, mode, tuning)",
        "`scaler.token` of the chart: it makes one, or takes a Secret of yours; VARISCALE_TOKEN elsewhere",
      ),
    ];
  if (changes !== "this_machine") return [];
  return [ok("changes", where, "has no token, and takes changes from its own machine alone")];
}

function checkCertificates(mutualTls: boolean | undefined, identity: object | null, where: string): Finding[] {
  if (mutualTls === undefined) return [];
  const findings: Finding[] = [];
  if (mutualTls) findings.push(ok("mutual-tls", where, "lets in KEDA and switchers by their certificates"));
  else
    findings.push(
      warn(
        "mutual-tls",
        where,
        "speaks plaintext: whoever reaches port 6000 may ask as KEDA",
        "`tls.mode` of the chart, --tls-folder elsewhere",
      ),
    );
  if (identity === null)
    findings.push(
      warn(
        "switcher-identity",
        where,
        `does not ask who a switcher is: whoever ${mutualTls ? "has a certificate" : "reaches port 6001"} may report as any`,
        "`switcher.identity: tokenReview` of the chart, --switcher-identity tokenreview elsewhere",
      ),
    );
  return findings;
}
