import { type ErrorCode, VariscaleError } from "../domain/errors.ts";
import { HttpFailure } from "./http-failure.ts";
import { describeResource, type KubernetesResource } from "./kubernetes-resource.ts";

/** As RBAC names them. */
export type KubernetesVerb = "get" | "list" | "watch" | "create" | "patch" | "delete";

/** One call to the API server. */
export interface KubernetesCall {
  readonly verb: KubernetesVerb;
  readonly resource: KubernetesResource;
  /** Null: of the whole cluster. */
  readonly namespace: string | null;
  /** Null: the collection. */
  readonly name: string | null;
}

export function describeCall(call: KubernetesCall): string {
  return `${call.verb} ${describeResource(call.resource, call.namespace, call.name)}`;
}

/**
 * What an answer that is no success means: 401 and 403 failed_precondition, with the RBAC rule that is missing; 404 not_found; 409 and
 * 410 aborted; 429 resource_exhausted; other 4xx invalid_argument; 5xx unavailable.
 *
 * @param body the answer; a `Status` object says more.
 */
export function errorOfStatus(what: string, status: number, body: string, call: KubernetesCall | null): VariscaleError {
  const { reason, message } = statusOf(body);
  const said = [reason, message].filter(part => part !== "").join(": ");
  const text = `Kubernetes: ${what} was answered with ${status}${said === "" ? "" : ` ${said}`}.`;
  return new VariscaleError(codeOf(status), `${text} ${fixOf(status, message, call)}`.trimEnd());
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "failed_precondition";
  if (status === 404) return "not_found";
  if (status === 409 || status === 410) return "aborted";
  if (status === 429) return "resource_exhausted";
  return status < 500 ? "invalid_argument" : "unavailable";
}

function fixOf(status: number, message: string, call: KubernetesCall | null): string {
  if (status === 401)
    return "The credentials are not valid: renew the kubeconfig's user, or check that the pod's service account token is mounted.";
  if (status === 403 && call) {
    const { resource, verb, namespace } = call;
    const kind = namespace === null ? "ClusterRole" : "Role";
    return `Allow it in a ${kind}: apiGroups: ["${resource.group}"], resources: ["${resource.plural}"], verbs: ["${verb}"]; \`variscale manifests\` writes the rules.`;
  }
  // For a kind that the server does not know, it answers in plain text.
  if (status === 404 && call && /could not find the requested resource|page not found/.test(message))
    return missingKind(call.resource);
  return "";
}

function missingKind({ group, version }: KubernetesResource): string {
  if (group === "keda.sh") return "The custom resource definitions of KEDA are not there: install KEDA.";
  if (group === "variscale.dev")
    return "The custom resource definition is not there: variscale manifests --crd | kubectl apply --server-side -f -";
  return `The server has no ${group}/${version}.`;
}

function statusOf(body: string): { readonly reason: string; readonly message: string } {
  try {
    const { reason, message } = JSON.parse(body) as Record<string, unknown>;
    return { reason: textOf(reason), message: textOf(message) };
  } catch {
    return { reason: "", message: textOf(body.trim()) };
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 500) : "";
}

const FIXES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the API server's certificate has expired: renew it",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the API server's certificate is for another name: use a name of it as `server`, or set `tls-server-name`",
  EPROTO: "the API server does not speak TLS there, or refuses this client's certificate: check `server`",
  ERR_SSL_WRONG_VERSION_NUMBER: "the API server does not speak TLS there: check `server`",
  ECONNREFUSED: "nothing listens there: check the address, and that the API server runs",
  ENOTFOUND: "the name is not known: check the address and the DNS",
  EAI_AGAIN: "the name can't be looked up now: check the DNS",
};
const UNTRUSTED = "the API server's certificate is not signed by the given CA: check `certificate-authority`";

/** What a connection that failed means: unavailable, or failed_precondition where TLS says that it can't be trusted. */
export function errorOfConnection(what: string, server: string, thrown: unknown): VariscaleError {
  if (!(thrown instanceof HttpFailure)) return VariscaleError.from(thrown);
  const { cause, detail } = thrown;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const isTls = /CERT|SELF_SIGNED|VERIFY|SSL|TLS|EPROTO/.test(code);
  const isNoPem = /PEM routines|ASN1/i.test(detail);
  const other = isTls ? UNTRUSTED : "check that the API server can be reached from here";
  const fix = isNoPem ? "its CA, certificate or key is no PEM: correct the kubeconfig" : (FIXES[code] ?? other);
  return new VariscaleError(
    isTls || isNoPem ? "failed_precondition" : "unavailable",
    `Kubernetes: ${what} failed at ${server} (${detail}): ${fix}.`,
    { cause: thrown },
  );
}
