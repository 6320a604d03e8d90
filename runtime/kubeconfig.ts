import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";
import { readYaml } from "../domain/pipeline-file.ts";
import { execAccess, execSchema } from "./exec-credential.ts";
import { checkProxyUrl, findProxy } from "./find-proxy.ts";
import { followFile } from "./follow-file.ts";
import { parseHttpAddress } from "./http-address.ts";
import type { KubernetesAccess, KubernetesConfig } from "./kubernetes-config.ts";

const clusterSchema = z.looseObject({
  server: z.string(),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.string().optional(),
  "insecure-skip-tls-verify": z.boolean().optional(),
  "tls-server-name": z.string().optional(),
  "proxy-url": z.string().optional(),
  extensions: z.array(z.looseObject({ name: z.string(), extension: z.unknown() })).nullish(),
});

const userSchema = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  "client-certificate": z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key": z.string().optional(),
  "client-key-data": z.string().optional(),
  exec: execSchema.optional(),
  "auth-provider": z.unknown().optional(),
  username: z.unknown().optional(),
  as: z.string().optional(),
  "as-uid": z.string().optional(),
  "as-groups": z.array(z.string()).nullish(),
  "as-user-extra": z.record(z.string(), z.array(z.string())).nullish(),
});

const contextSchema = z.looseObject({
  cluster: z.string(),
  user: z.string().optional(),
  namespace: z.string().optional(),
});

const entries = <S extends z.ZodType>(key: string, schema: S) =>
  z.array(z.looseObject({ name: z.string(), [key]: schema })).nullish();

const fileSchema = z.looseObject({
  "current-context": z.string().nullish(),
  clusters: entries("cluster", clusterSchema),
  users: entries("user", userSchema.nullish()),
  contexts: entries("context", contextSchema),
});

interface Found<T> {
  readonly value: T;
  /** Paths in the kubeconfig are relative to its folder. */
  readonly folder: string;
}

/**
 * Reads the kubeconfig: the files of KUBECONFIG, the first that has an entry wins, else `~/.kube/config`.
 *
 * Throws not_found for a file, context, cluster or user that is not there, and invalid_argument for what can't be used.
 */
export function readKubeconfig(env: NodeJS.ProcessEnv, context: string | null): KubernetesConfig {
  const paths = listPaths(env);
  const files = paths.filter(path => existsSync(path)).map(path => ({ path, content: readFile(path) }));
  const origin = paths.join(delimiter);
  if (files.length === 0)
    throw new VariscaleError(
      "not_found",
      `Kubernetes: this is no pod and there is no kubeconfig at ${origin}: set KUBECONFIG to its path`,
    );
  const find = <T>(kind: "clusters" | "users" | "contexts", key: string, name: string): Found<T> => {
    for (const { path, content } of files) {
      const entry = content[kind]?.find(one => one["name"] === name);
      if (entry) return { value: (entry as Record<string, unknown>)[key] as T, folder: dirname(path) };
    }
    const names = files.flatMap(({ content }) => content[kind]?.map(one => one["name"]) ?? []);
    throw new VariscaleError(
      "not_found",
      `kubeconfig ${origin}: there is no ${key} \`${name}\`; it has: ${names.slice(0, 10).join(", ") || "none"}`,
    );
  };
  const contextName = context ?? files.map(({ content }) => content["current-context"]).find(Boolean) ?? "";
  if (contextName === "")
    throw new VariscaleError("invalid_argument", `kubeconfig ${origin}: no context is chosen: name one with --context`);
  const chosen = find<z.output<typeof contextSchema>>("contexts", "context", contextName).value;
  const cluster = find<z.output<typeof clusterSchema>>("clusters", "cluster", chosen.cluster);
  const user = chosen.user
    ? find<z.output<typeof userSchema> | null>("users", "user", chosen.user)
    : { value: null, folder: "" };
  checkServer(cluster.value.server, origin);
  const server = cluster.value.server.replace(/\/+$/, "");
  const proxyUrl = findClusterProxy(chosen.cluster, cluster.value, env);
  return {
    server,
    namespace: chosen.namespace ?? "default",
    origin: `context ${contextName} of ${origin}`,
    serverName: cluster.value["tls-server-name"] ?? null,
    verify: cluster.value["insecure-skip-tls-verify"] !== true,
    proxyUrl,
    impersonation: readImpersonation(user.value, chosen.user ?? ""),
    access: openAccess(cluster, user, env, chosen.user ?? ""),
  };
}

function listPaths(env: NodeJS.ProcessEnv): readonly string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter(path => path !== "");
  return listed.length > 0 ? listed.map(path => resolve(path)) : [join(env["HOME"] || homedir(), ".kube", "config")];
}

function readFile(path: string): z.output<typeof fileSchema> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new VariscaleError(
      "invalid_argument",
      `kubeconfig ${path} can't be read: ${VariscaleError.from(error).message}`,
      { cause: error },
    );
  }
  const read = readYaml(text);
  if (!read.ok) {
    // Its line may have a token: the place has to do.
    const [{ path: place, rule, fix } = { path: "", rule: "", fix: "" }] = read.issues;
    throw new VariscaleError("invalid_argument", `kubeconfig ${path}, ${place}: ${rule}. ${fix}`);
  }
  const result = fileSchema.safeParse(read.value ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new VariscaleError(
    "invalid_argument",
    `kubeconfig ${path}: \`${issue?.path.join(".") ?? ""}\`: ${issue?.message ?? "is not valid"}`,
  );
}

function checkServer(server: string, origin: string): void {
  parseHttpAddress(server, {
    where: `kubeconfig ${origin}: server`,
    example: "https://host:port",
    isHttpsAllowed: true,
    credentials: "use a token, a client certificate or `exec`",
  });
}

function openAccess(
  { value: cluster, folder: clusterFolder }: Found<z.output<typeof clusterSchema>>,
  { value: user, folder }: Found<z.output<typeof userSchema> | null>,
  env: NodeJS.ProcessEnv,
  userName: string,
): KubernetesConfig["access"] {
  if (user?.["auth-provider"] || user?.username)
    throw new VariscaleError(
      "invalid_argument",
      `kubeconfig: user ${userName} has \`auth-provider\` or \`username\`, which Kubernetes no longer takes: use a token, a client certificate or \`exec\``,
    );
  const ca = text(cluster, "certificate-authority", clusterFolder);
  const certificate = user ? text(user, "client-certificate", folder) : () => null;
  const key = user ? text(user, "client-key", folder) : () => null;
  const tokenFile = user?.tokenFile ? followFile(resolve(folder, user.tokenFile)) : null;
  const clusterInfo = () => describeCluster(cluster, ca());
  const run = user?.exec ? execAccess(user.exec, { folder, env, clusterInfo }) : null;
  return async (): Promise<KubernetesAccess> => {
    const ran = run ? await run() : null;
    return {
      ca: ca(),
      certificate: ran?.certificate ?? certificate(),
      key: ran?.key ?? key(),
      token: user?.token ?? tokenFile?.().trim() ?? ran?.token ?? null,
    };
  };
}

/** A PEM text: base64 in `<key>-data`, or the file that `<key>` names. */
function text(entry: Readonly<Record<string, unknown>>, key: string, folder: string): () => string | null {
  const data = entry[`${key}-data`];
  if (typeof data === "string" && data !== "") {
    const decoded = Buffer.from(data, "base64").toString("utf8");
    return () => decoded;
  }
  const path = entry[key];
  return typeof path === "string" && path !== "" ? followFile(resolve(folder, path)) : () => null;
}

/** `proxy-url`, else what the environment says. */
function findClusterProxy(
  name: string,
  { server, "proxy-url": given }: z.output<typeof clusterSchema>,
  env: NodeJS.ProcessEnv,
): string | null {
  if (given === undefined || given === "") return findProxy(new URL(server), env);
  return checkProxyUrl(given, `kubeconfig: \`proxy-url\` of cluster ${name}`);
}

/** Headers that ask the API server to take the user for another one, as `as` and the fields beside it say. */
function readImpersonation(
  user: z.output<typeof userSchema> | null,
  userName: string,
): Readonly<Record<string, string | readonly string[]>> {
  const { as, "as-uid": uid, "as-groups": groups, "as-user-extra": extra } = user ?? {};
  const extras = Object.entries(extra ?? {});
  if (!as) {
    if (!uid && !groups?.length && extras.length === 0) return {};
    throw new VariscaleError(
      "invalid_argument",
      `kubeconfig: user ${userName} has \`as-uid\`, \`as-groups\` or \`as-user-extra\` without \`as\`: name the user to act as, or remove them`,
    );
  }
  return {
    "impersonate-user": as,
    ...(uid && { "impersonate-uid": uid }),
    ...(groups?.length && { "impersonate-group": groups }),
    ...Object.fromEntries(extras.map(([key, values]) => [`impersonate-extra-${escapeForName(key)}`, values])),
  };
}

/** `encodeURIComponent` leaves round brackets, which no name of a header has. */
function escapeForName(key: string): string {
  return encodeURIComponent(key.toLowerCase()).replaceAll("(", "%28").replaceAll(")", "%29");
}

/** The cluster as a program that gives credentials for it reads it. */
function describeCluster(cluster: z.output<typeof clusterSchema>, ca: string | null): object {
  const { "tls-server-name": serverName, "proxy-url": proxyUrl, extensions } = cluster;
  const config = extensions?.find(({ name }) => name === "client.authentication.k8s.io/exec")?.extension;
  return {
    server: cluster.server,
    ...(serverName && { "tls-server-name": serverName }),
    ...(cluster["insecure-skip-tls-verify"] === true && { "insecure-skip-tls-verify": true }),
    ...(ca !== null && { "certificate-authority-data": Buffer.from(ca).toString("base64") }),
    ...(proxyUrl && { "proxy-url": proxyUrl }),
    ...(config !== undefined && { config }),
  };
}
