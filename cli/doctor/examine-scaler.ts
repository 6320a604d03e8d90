import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import type { NamingObject } from "../../scaler/described-pipeline.ts";
import { checkFollowed } from "./check-annotation.ts";
import { checkClock } from "./check-clock.ts";
import { checkDoors } from "./check-doors.ts";
import { checkBinding, checkIdentity, checkSwitcherToken, checkTaken, type Workload } from "./check-identity.ts";
import { checkPipelineState, type PipelineState, pipelineStateSchema } from "./check-pipeline-state.ts";
import { checkScalerVersion, checkSwitcherVersions } from "./check-versions.ts";
import { between, type ClockReading } from "./clock-reading.ts";
import { type Finding, warn } from "./finding.ts";
import type { Ask } from "./scaler-http.ts";

const listSchema = z.looseObject({
  version: z.string().nullish(),
  // Scalers of earlier versions do not say.
  sourcesProblem: z.string().nullish(),
  pipelinesFrom: z.array(z.string()).nullish(),
  switcherIdentity: z
    .looseObject({
      serviceAccounts: z.array(z.string()),
      audience: z.string().optional(),
      problem: z.string().nullable(),
    })
    .nullish(),
  changes: z.string().optional(),
  mutualTls: z.boolean().optional(),
  pipelines: z.array(z.unknown()),
});

export interface ScalerQuestion {
  readonly ask: Ask;
  /** For findings: `scaler host:port`. */
  readonly where: string;
  /** `namespace/name`. */
  readonly pipelines: readonly string[];
  /** What its ScaledObjects scale, as far as it could be read. */
  readonly workloads: readonly Workload[];
  /** Its ScaledObjects that name a ConfigMap with their pipeline. */
  readonly naming: readonly NamingObject[];
  readonly apiServerClock: ClockReading | null;
  readonly ownVersion: string;
}

/** What a scaler says of itself over HTTP: its version and clock, and of each pipeline its load, its conditions and its switchers. */
export async function examineScaler(question: ScalerQuestion): Promise<readonly Finding[]> {
  const { ask, where, pipelines, workloads, naming, apiServerClock, ownVersion } = question;
  let answer: Awaited<ReturnType<Ask>>;
  let list: z.output<typeof listSchema>;
  try {
    answer = await ask("/api/v1/pipelines");
    const parsed = listSchema.safeParse(answer.body);
    if (!parsed.success)
      throw new VariscaleError("unavailable", `no list of pipelines: ${answer.status} ${messageOf(answer.body)}`);
    list = parsed.data;
  } catch (error) {
    const { message } =
      error instanceof z.ZodError ? { message: "is no list of pipelines" } : VariscaleError.from(error);
    return [
      warn(
        "scaler-http",
        where,
        `its HTTP port can't be read, so that load, versions and clock were not checked: ${message}`,
        "kubectl port-forward service/variscale-scaler 8080, and --scaler-url http://127.0.0.1:8080",
      ),
    ];
  }
  const version = list.version ?? null;
  const findings = [checkScalerVersion(version, ownVersion, where)];
  if (list.sourcesProblem)
    findings.push(
      warn(
        "pipeline-sources",
        where,
        list.sourcesProblem,
        "install what is missing, or give the scaler its rights (`variscale manifests --pipelines-from`): it tries again by itself, and serves what it has",
      ),
    );
  if (list.pipelinesFrom) findings.push(...checkFollowed(naming, list.pipelinesFrom, where));
  const identity = list.switcherIdentity;
  if (identity) findings.push(checkIdentity(identity, where));
  findings.push(...checkDoors(list, where));
  if (answer.clock && apiServerClock)
    findings.push(...checkClock(between(answer.clock, apiServerClock), where, "the API server's"));
  for (const name of pipelines) {
    const { state, unread } = await readState(ask, name);
    const bound = state?.serviceAccounts ?? {};
    const ofPipeline = `pipeline ${name}`;
    findings.push(...unread, ...(state ? examineState(state, version, ofPipeline) : []));
    if (!identity) findings.push(...checkBinding(bound, ofPipeline));
    else {
      findings.push(...checkTaken(bound, identity.serviceAccounts, ofPipeline));
      for (const workload of workloads.filter(({ pipeline }) => pipeline === name))
        findings.push(...checkSwitcherToken(workload, identity, bound[workload.stage] ?? []));
    }
  }
  return findings;
}

/** Null: it is none of the scaler's, which the KEDA port has said already, or can't be read, which is found. */
async function readState(
  ask: Ask,
  name: string,
): Promise<{ readonly state: PipelineState | null; readonly unread: readonly Finding[] }> {
  const { status, body } = await ask(`/api/v1/pipelines/${name.split("/").map(encodeURIComponent).join("/")}`);
  if (status === 404) return { state: null, unread: [] };
  const { success, data } = pipelineStateSchema.safeParse(body);
  if (success) return { state: data, unread: [] };
  const fix = "run the doctor of the scaler's version";
  const unread = [warn("scaler-http", `pipeline ${name}`, "the scaler's answer can't be read", fix)];
  return { state: null, unread };
}

function examineState(state: PipelineState, scalerVersion: string | null, where: string): readonly Finding[] {
  const versions = state.switchers.map(({ softwareVersion }) => softwareVersion);
  return [
    ...checkPipelineState(state, where),
    ...(scalerVersion === null ? [] : [checkSwitcherVersions(versions, scalerVersion, where)]),
  ];
}

/** A scaler says `error`, an API server that passes the question on `message`. */
function messageOf(body: unknown): string {
  const { error, message = error } = (body ?? {}) as { readonly error?: unknown; readonly message?: unknown };
  return typeof message === "string" ? message : "";
}
