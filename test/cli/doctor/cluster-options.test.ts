import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { examine } from "../../../cli/doctor/doctor.ts";
import { type Finding, formatFindings } from "../../../cli/doctor/finding.ts";
import { manifestsOf } from "../../../cli/manifests/manifests.ts";
import { KubernetesClient } from "../../../runtime/kubernetes.ts";
import { createLogger } from "../../../runtime/logger.ts";
import type { ScalerOptions } from "../../../scaler/main.ts";
import { TokenReviewer } from "../../../scaler/token-reviewer.ts";
import { ManualClock, until } from "../../scaler/support/manual-clock.ts";
import { RunningScaler } from "../../scaler/support/running-scaler.ts";
import { testPipeline, testPipelineText } from "../../scaler/support/test-pipeline.ts";
import { KubernetesApi, refuse } from "../../support/kubernetes-api.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
const DEPLOYMENTS = "/apis/apps/v1/deployments";
const CONFIG_MAPS = "/api/v1/configmaps";

// biome-ignore lint/suspicious/noExplicitAny: tests edit objects of many kinds
type Any = any;

const pipeline = testPipeline({ stages: ["detect"] });

/** What `manifests` writes of a stage whose switchers show their tokens. */
function manifests(kind: string): Any {
  const written = manifestsOf(pipeline, {
    ...{ scalerAddress: "127.0.0.1:6000", switcherAddress: "s:6001", tlsSecret: null, scalerNamespace: null },
    ...{ ha: false, serviceAccount: "s", pipelinesFromCluster: false, targets: [] },
    ...{ switcherTokens: "reviewed", audience: null, image: "variscale", modelsClaim: "models" },
  }) as readonly Any[];
  return structuredClone(written.find(object => object.kind === kind));
}

describe("doctor of a scaler with options of the cluster", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let clock: ManualClock;
  let running: RunningScaler | null;
  let scaledObject: Any;
  let deployment: Any;

  beforeEach(async () => {
    api = await KubernetesApi.start();
    for (const collection of [SCALED_OBJECTS, DEPLOYMENTS, CONFIG_MAPS]) api.collections.add(collection);
    client = new KubernetesClient(api.config());
    clock = new ManualClock();
    running = null;
    scaledObject = manifests("ScaledObject");
    deployment = manifests("Deployment");
    delete deployment.spec.template.spec.serviceAccountName;
  });

  afterEach(async () => {
    await running?.close();
    client.close();
    await api.close();
  });

  async function start(options: Partial<ScalerOptions>): Promise<void> {
    running = await RunningScaler.start({ pipelines: [pipeline], ...options }, clock);
    await running.planFor(20);
    while ((await fetch(running.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
  }

  async function found(check: string, of: Partial<Parameters<typeof examine>[0]> = {}): Promise<readonly Finding[]> {
    api.put(SCALED_OBJECTS, scaledObject);
    api.put(DEPLOYMENTS, deployment);
    const findings = await examine({
      ...{ client, pipeline, namespace: "shop", kedaNamespace: "keda", scalerPair: null, nowMs: Date.now() },
      scaler: running ? { url: running.url(""), token: null } : null,
      ...of,
    });
    return findings.filter(finding => finding.check === check);
  }

  /** Only this is found of the check. */
  async function only(check: string, kind: Finding["kind"], what: RegExp): Promise<void> {
    const findings = await found(check);
    assert.equal(findings.length, 1, formatFindings(findings));
    assert.equal(findings[0]?.kind, kind, formatFindings(findings));
    assert.match(findings[0]?.what ?? "", what);
    assert.equal(findings[0]?.fix === null, kind === "ok");
  }

  it("knows one that may not have tokens reviewed, and switchers that it would not take", async () => {
    let isAllowed = false;
    api.intercept = ({ path }, response) => {
      if (!path.endsWith("/tokenreviews")) return false;
      if (!isAllowed) return refuse(response, 403, "Forbidden", "no");
      response.writeHead(201, { "content-type": "application/json" });
      response.end(JSON.stringify({ kind: "TokenReview", status: { authenticated: false, error: "no token" } }));
      return true;
    };
    const logger = createLogger("test", "silent");
    const switcherIdentity = new TokenReviewer({ config: api.config(), serviceAccounts: ["default"], clock, logger });
    switcherIdentity.start();
    await until(() => switcherIdentity.problem !== null, "the first try");
    await start({ switcherIdentity });
    await only("switcher-identity", "fail", /tokens of switchers reviewed.*tokenreviews/);
    isAllowed = true;
    await clock.advance(60_000);
    await until(() => switcherIdentity.problem === null, "another try");
    await only("switcher-identity", "ok", /^has tokens of switchers reviewed$/);
    await only("switcher-token", "ok", /^shows a token for the audience variscale, of default$/);
    const { spec } = deployment.spec.template;
    spec.volumes.at(-1).projected.sources[0].serviceAccountToken.audience = "vault";
    await only("switcher-token", "fail", /is for the audience vault/);
    spec.serviceAccountName = "cards";
    await only("switcher-token", "fail", /run as service account `cards`.* run as default/);
  });

  it("says nothing of tokens where it asks nobody for one", async () => {
    await start({});
    await only("switcher-identity", "warn", /^does not ask who a switcher is: whoever reaches port 6001/);
    assert.deepEqual(await found("switcher-token"), []);
  });

  it("says so where stages are bound to service accounts and it asks nobody", async () => {
    await start({ pipelines: [testPipeline({ stages: ["detect"], serviceAccounts: ["cards"] })] });
    const [open, bound] = await found("switcher-identity");
    assert.match(open?.what ?? "", /^does not ask who a switcher is/);
    assert.equal(bound?.kind, "warn");
    assert.match(bound?.what ?? "", /^binds detect to service accounts, .* does not ask/);
  });

  it("knows switchers that are not of the stage's service accounts", async () => {
    const logger = createLogger("test", "silent");
    const switcherIdentity = new TokenReviewer({ config: api.config(), serviceAccounts: [], clock, logger });
    await start({
      switcherIdentity,
      pipelines: [testPipeline({ stages: ["detect"], serviceAccounts: ["cards", "scans"] })],
    });
    await only("switcher-token", "fail", /`default`, and switchers of stage `detect` run as cards, scans$/);
    deployment.spec.template.spec.serviceAccountName = "scans";
    await only("switcher-token", "ok", /of scans$/);
  });

  it("names service accounts of stages that the scaler does not take, and how it comes to take them", async () => {
    const logger = createLogger("test", "silent");
    const switcherIdentity = new TokenReviewer({ config: api.config(), serviceAccounts: ["scans"], clock, logger });
    const bound = (serviceAccounts: readonly string[]) => testPipeline({ stages: ["detect"], serviceAccounts });
    await start({ switcherIdentity, pipelines: [bound(["cards", "letters"])] });
    const missing = async () =>
      (await found("switcher-identity"))
        .filter(({ what }) => what.startsWith("binds "))
        .map(({ kind, what, fix }) => [kind, what, fix]);
    const fixOf = (flags: string) =>
      `add them to \`switcher.serviceAccounts\` of the chart, or give the scaler ${flags}`;
    assert.deepEqual(await missing(), [
      [
        "fail",
        "binds stage `detect` to service accounts that the scaler does not take: cards, letters",
        fixOf("--switcher-service-account cards --switcher-service-account letters"),
      ],
    ]);
    await running?.close();
    await start({ switcherIdentity, pipelines: [bound(["scans", "cards"])] });
    assert.deepEqual(await missing(), [
      [
        "warn",
        "binds stage `detect` to service accounts that the scaler does not take: cards",
        fixOf("--switcher-service-account cards"),
      ],
    ]);
    await running?.close();
    await start({ switcherIdentity, pipelines: [bound(["scans"])] });
    assert.deepEqual(await missing(), []);
  });

  describe("and annotations of ScaledObjects", () => {
    const check = "pipeline-annotation";
    const annotate = (configMap: string) => {
      scaledObject.metadata.annotations = { "variscale.dev/pipeline-configmap": configMap };
    };
    const put = (data: Readonly<Record<string, string>>) =>
      api.put(CONFIG_MAPS, { metadata: { namespace: "shop", name: "cards-pipeline" }, data });
    const followed = () => ({
      watchedPipelines: {
        ...{ config: api.config(), namespaces: ["elsewhere"] },
        ...{ objects: false, configMaps: false, scaledObjects: true },
      },
    });

    beforeEach(() => {
      annotate("cards-pipeline");
      put({ "pipeline.yaml": testPipelineText({ stages: ["detect"] }) });
    });

    it("knows a scaler that does not look at them", async () => {
      await start({});
      const findings = await found(check);
      assert.deepEqual(
        findings.map(({ kind }) => kind),
        ["ok", "warn"],
      );
      assert.match(findings[1]?.what ?? "", /does not look at the annotation .*: shop\/cards-detect$/);
    });

    it("knows those that name no pipeline, and why", async () => {
      await start(followed());
      await only(check, "ok", /^ConfigMap shop\/cards-pipeline describes pipeline cards$/);
      put({ "pipeline.yaml": testPipelineText({ name: "scans", stages: ["detect"] }) });
      await only(check, "fail", /describes pipeline scans, and .* asks for cards/);
      put({ "pipeline.yaml": "nonsense: [" });
      await only(check, "fail", /YAML/);
      put({});
      await only(check, "fail", /has no key `pipeline\.yaml`/);
      annotate("scans-pipeline");
      await only(check, "fail", /there is no ConfigMap shop\/scans-pipeline/);
      annotate("../secrets/x");
      await only(check, "fail", /must be the name of a ConfigMap/);
      assert.ok(!api.seen.some(({ path }) => path.includes("secrets/x")));
    });

    it("warns where it may not read what they name", async () => {
      await start(followed());
      api.intercept = ({ path }, response) =>
        path.endsWith("/configmaps/cards-pipeline") && refuse(response, 403, "Forbidden", "no");
      await only(check, "warn", /could not be checked/);
    });

    it("looks at those without a trigger of ours where no pipeline is named", async () => {
      await start(followed());
      scaledObject.spec.triggers = [{ type: "cpu", metadata: {} }];
      put({});
      assert.deepEqual(await found(check), []);
      assert.deepEqual(
        (await found(check, { pipeline: null })).map(({ kind }) => kind),
        ["fail"],
      );
    });
  });
});
