import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { after, before, describe, it } from "mocha";
import { blocksOf } from "../../bench/documents.ts";
import { manifestsOf } from "../../cli/manifests/manifests.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { SWITCHER_AUDIENCE } from "../../scaler/token-review.ts";
import { FakeSwitcher } from "../scaler/support/fake-switcher.ts";
import { kubeconfigOf, tokenOf } from "./support/account-token.ts";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { writePipeline } from "./support/pipeline-files.ts";
import { Program } from "./support/program.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { until } from "./support/until.ts";

const NAMESPACE = "identity";
const CARDS = { namespace: NAMESPACE, name: "cards", stages: ["detect"] } as const;
const SCALER = { namespace: NAMESPACE, name: "scaler" } as const;
const SWITCHERS = "cards-switcher";
/** Of the switcher's process. */
const HOST = "10.77.3.1";

describe("switchers that a real API server knows by the tokens of their pods", () => {
  let scaler: ScalerProcess;
  let switcher: Program;
  let tokenFile: string;

  const api = () => theCluster().api;
  const hello = { namespace: NAMESPACE, pipeline: "cards", stage: "detect" };

  async function addPod(name: string, serviceAccountName: string): Promise<Json> {
    const containers = [{ name: "switcher", image: "none" }];
    const metadata = { name, namespace: NAMESPACE };
    await api().apply({ apiVersion: "v1", kind: "Pod", metadata, spec: { serviceAccountName, containers } });
    return await api().get("Pod", NAMESPACE, name);
  }

  /** As the kubelet projects it into the pod. */
  function tokenFor({ metadata, spec }: Json, audience = SWITCHER_AUDIENCE): Promise<string> {
    const account = { namespace: metadata.namespace, name: spec.serviceAccountName };
    const { name, uid } = metadata;
    const boundObjectRef = { apiVersion: "v1", kind: "Pod", name, uid };
    return tokenOf(theCluster(), account, { audiences: [audience], expirationSeconds: 3600, boundObjectRef });
  }

  const pods = async (): Promise<readonly string[]> =>
    ((await scaler.page(CARDS)).switchers as readonly Json[]).map(({ pod }) => pod);

  /** How the stream of a switcher ends that is not taken. */
  async function refusal(pod: string, token: string | null): Promise<{ code: number; details: string }> {
    const fake = new FakeSwitcher(`${scaler.host}:6001`, { ...hello, pod }, true, token);
    try {
      return await fake.endedWith();
    } finally {
      fake.close();
    }
  }

  before(async () => {
    const cluster = theCluster();
    const { folder } = cluster;
    const file = writePipeline(join(folder, "switcher-identity"), CARDS);
    const written = manifestsOf(readPipeline(file), {
      ...{ scalerAddress: null, switcherAddress: null, tlsSecret: null, scalerNamespace: null, targets: [] },
      ...{ pipelinesFromCluster: false, ha: false, image: null, modelsClaim: null },
      serviceAccount: SCALER.name,
      switcherTokens: "reviewed",
      audience: null,
    });
    await api().apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
      ...written.filter(object => !("kind" in object) || object.kind !== "ScaledObject"),
      ...[SWITCHERS, "other"].map(name => ({
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name, namespace: NAMESPACE },
      })),
    );
    const [block] = blocksOf("docs/security.md").filter(({ text }) => text.includes("--switcher-identity"));
    const args = /^variscale scaler cards\.yaml (.*)\n?$/.exec(block?.text ?? "")?.[1]?.split(" ");
    assert.ok(args, "docs/security.md has the command");
    const kubeconfig = await kubeconfigOf(cluster, SCALER);
    scaler = await ScalerProcess.start(cluster, [CARDS], { kubernetes: true, kubeconfig, args });
    tokenFile = join(folder, "switcher-identity/token");
    const configFile = join(folder, "switcher-identity/switcher.json");
    const tensor = (name: string, shape: readonly number[]) => ({ name, datatype: "FP32", shape });
    const config = {
      pipeline: { namespace: NAMESPACE, name: "cards" },
      stage: "detect",
      contract: { inputs: [tensor("x", [-1, 4])], outputs: [tensor("y", [-1])] },
      variants: [{ name: "only", driver: "emulated", points: [{ batch: 1, latencyMs: 10 }] }],
      defaultVariant: "only",
      modelFolder: folder,
      host: HOST,
    };
    writeFileSync(configFile, JSON.stringify(config));
    switcher = new Program({
      name: "switcher-identity",
      command: process.execPath,
      args: [
        ...[join(packageFolder, "dist/cli/main.js"), "switcher", "--config", configFile, "--pod", "detect-0"],
        ...["--scaler-address", `${scaler.host}:6001`, "--scaler-token-file", tokenFile],
      ],
      logFile: join(folder, "log", "switcher-identity"),
    });
  });

  after(async () => {
    await switcher.stop();
    await scaler.close();
  });

  it("are taken by a scaler that has no more rights than `variscale manifests` gives it, and told what to serve", async () => {
    writeFileSync(tokenFile, await tokenFor(await addPod("detect-0", SWITCHERS)));
    switcher.start();
    await switcher.until(async () => {
      const [one] = (await scaler.page(CARDS)).switchers;
      return one?.pod === "detect-0" && one.applied.counter > 0;
    }, "it serves what it was told");
    assert.doesNotMatch(scaler.program.log(), /switcher not taken|are not reviewed/);
  });

  it("are refused for each reason that there is, and told which", async () => {
    const own = await addPod("detect-1", SWITCHERS);
    const other = await addPod("detect-2", "other");
    const unbound = await tokenOf(
      theCluster(),
      { namespace: NAMESPACE, name: SWITCHERS },
      { audiences: ["variscale"] },
    );
    for (const [pod, token, reason] of [
      ["detect-1", null, /shows no token/],
      ["detect-1", "nonsense", /does not take its token: .*invalid bearer token/],
      ["detect-1", await tokenFor(own, "https://kubernetes.default.svc"), /does not take its token: .*audiences/],
      ["detect-1", unbound, /bound to no pod/],
      ["detect-0", await tokenFor(own), /that of pod `detect-1`, and it says that it is `detect-0`/],
      ["detect-2", await tokenFor(other), /runs as service account `other`; switchers run as cards-switcher/],
    ] as const) {
      const { code, details } = await refusal(pod, token);
      assert.equal(code, status.PERMISSION_DENIED, details);
      assert.match(details, reason);
    }
    const gone = await tokenFor(own);
    await api().delete("Pod", NAMESPACE, "detect-1");
    await until(async () => (await api().get("Pod", NAMESPACE, "detect-1")) === null, "the pod is gone");
    // The API server remembers for some seconds that it has taken it.
    await until(async () => /does not take its token/.test((await refusal("detect-1", gone)).details), "its end");
    assert.deepEqual(await pods(), ["detect-0"]);
  });

  it("lose their stage when its file names other service accounts, and have it again when it names theirs", async () => {
    const token = await tokenFor(await api().get("Pod", NAMESPACE, "detect-0"));
    scaler.edit({ ...CARDS, serviceAccounts: ["other"] });
    await until(async () => (await pods()).length === 0, "the end of its stream");
    const { code, details } = await refusal("detect-0", token);
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /`cards-switcher`; switchers of stage `detect` of identity\/cards run as other: set/);
    scaler.edit({ ...CARDS, serviceAccounts: ["other", SWITCHERS] });
    await switcher.until(async () => (await pods()).length === 1, "it is connected again");
  });

  it("show the token that the kubelet has renewed to the scaler's next process", async () => {
    await scaler.program.stop("SIGKILL");
    writeFileSync(tokenFile, await tokenFor(await api().get("Pod", NAMESPACE, "detect-0")));
    scaler.program.start();
    await switcher.until(async () => (await pods().catch(() => [])).length === 1, "it is connected again");
  });

  it("wait for a scaler that may not ask who they are, which says so from its start", async () => {
    const said = async (): Promise<Json> =>
      ((await (await fetch(`http://${scaler.host}:8080/api/v1/pipelines`)).json()) as Json).switcherIdentity;
    const restart = async (): Promise<void> => {
      await scaler.program.stop("SIGKILL");
      scaler.program.start();
      await until(async () => (await pods().catch(() => null)) !== null, "it answers");
    };
    assert.deepEqual(await said(), { serviceAccounts: [SWITCHERS], audience: SWITCHER_AUDIENCE, problem: null });
    const name = `${SCALER.name}.${NAMESPACE}.identity.variscale.dev`;
    const { kind, apiVersion, roleRef, subjects } = await api().get("ClusterRoleBinding", "", name);
    await api().delete(kind, "", name);
    try {
      await restart();
      await until(async () => /create tokenreviews/.test((await said()).problem ?? ""), "it says what it may not");
      assert.deepEqual(await pods(), []);
    } finally {
      await api().apply({ apiVersion, kind, metadata: { name }, roleRef, subjects });
    }
    await until(async () => (await said()).problem === null, "it may again");
    await switcher.until(async () => (await pods()).length === 1, "it is connected again");
  });

  it("stay, and are known again, while the API server is away, and strangers are told to wait", async () => {
    const { apiServer, untilApiAnswers } = theCluster();
    const stranger = await tokenFor(await addPod("detect-3", SWITCHERS));
    await apiServer.stop("SIGKILL");
    try {
      assert.deepEqual(await pods(), ["detect-0"]);
      assert.equal((await refusal("detect-3", stranger)).code, status.UNAVAILABLE);
      await switcher.stop();
      await until(async () => (await pods()).length === 0, "it is gone");
      switcher.start();
      await switcher.until(async () => (await pods()).length === 1, "it is known again");
    } finally {
      apiServer.start();
      await untilApiAnswers();
    }
    const late = new FakeSwitcher(`${scaler.host}:6001`, { ...hello, pod: "detect-3" }, true, stranger);
    await until(async () => (await pods()).length === 2, "the stranger is taken");
    late.close();
  });
});
