import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";

const ANSWER_WITHIN_MS = 30_000;
const MOST_BYTES = 1024 * 1024;
/** Asked for again this long before it expires. */
const RENEW_BEFORE_MS = 60_000;

/** `exec` of a kubeconfig's user: the program that gives its credentials, as cloud providers have them. */
export const execSchema = z.looseObject({
  apiVersion: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
  installHint: z.string().nullish(),
  provideClusterInfo: z.boolean().nullish(),
});

type Exec = z.output<typeof execSchema>;

export interface ExecPlace {
  /** The kubeconfig's: relative paths start there. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** The cluster that the credentials are for, as the program reads it. */
  readonly clusterInfo: () => object;
}

interface ExecAccess {
  readonly token: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
}

const credentialSchema = z.looseObject({
  kind: z.literal("ExecCredential"),
  status: z.looseObject({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
});

/** Runs the program when there are no credentials yet or they are about to expire; callers at the same time share one run. */
export function execAccess(exec: Exec, place: ExecPlace): () => Promise<ExecAccess> {
  let kept: { readonly access: ExecAccess; readonly untilMs: number } | null = null;
  let running: Promise<ExecAccess> | null = null;
  const renew = async (): Promise<ExecAccess> => {
    const { status } = await run(exec, place);
    const access = {
      token: status.token ?? null,
      certificate: status.clientCertificateData ?? null,
      key: status.clientKeyData ?? null,
    };
    const expiresAtMs = Date.parse(status.expirationTimestamp ?? "");
    kept = { access, untilMs: Number.isNaN(expiresAtMs) ? Number.POSITIVE_INFINITY : expiresAtMs - RENEW_BEFORE_MS };
    return access;
  };
  return async () => {
    if (kept && Date.now() < kept.untilMs) return kept.access;
    running ??= renew().finally(() => {
      running = null;
    });
    return await running;
  };
}

function run(exec: Exec, { folder, env, clusterInfo }: ExecPlace): Promise<z.output<typeof credentialSchema>> {
  // A command with a slash is a path beside the kubeconfig; any other one is looked up in PATH.
  const command = /[/\\]/.test(exec.command) ? resolve(folder, exec.command) : exec.command;
  const info = {
    apiVersion: exec.apiVersion,
    kind: "ExecCredential",
    spec: { ...(exec.provideClusterInfo && { cluster: clusterInfo() }), interactive: false },
  };
  const given = Object.fromEntries((exec.env ?? []).map(({ name, value }) => [name, value]));
  const options = {
    env: { ...env, ...given, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    timeout: ANSWER_WITHIN_MS,
    maxBuffer: MOST_BYTES,
  };
  const failed = (what: string, cause: unknown): VariscaleError => {
    const hint = exec.installHint ? ` ${exec.installHint.trim().slice(0, 500)}` : "";
    const message = `kubeconfig: \`${exec.command}\`, which gives the user's credentials, ${what}. Run it by hand, or use a context with a token or a certificate.${hint}`;
    return new VariscaleError("failed_precondition", message, { cause });
  };
  return new Promise((done, reject) => {
    const child = execFile(command, exec.args ?? [], options, (error, stdout, stderr) => {
      if (error) return reject(failed(`failed: ${(stderr.trim() || error.message).slice(0, 500)}`, error));
      try {
        done(credentialSchema.parse(JSON.parse(stdout)));
      } catch (cause) {
        // What it wrote may be a secret: it is not shown.
        reject(failed("did not write an ExecCredential", cause));
      }
    });
    child.stdin?.end();
  });
}
