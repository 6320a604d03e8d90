import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ACCESS_RULES, IDENTITY_RULES, PIPELINE_ACCESS_RULES } from "../../../cli/manifests/access-rules.ts";
import { type ManifestOptions, manifestsOf } from "../../../cli/manifests/manifests.ts";
import { objectName } from "../../../cli/manifests/object-name.ts";
import { VariscaleError } from "../../../domain/errors.ts";
import { scaledObjectView } from "../../../scaler/kubernetes-objects.ts";
import { SWITCHER_AUDIENCE } from "../../../scaler/token-review.ts";
import { parseSwitcherConfig } from "../../../variant-switcher/parse-config.ts";
import { testPipeline } from "../../scaler/support/test-pipeline.ts";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  // biome-ignore lint/suspicious/noExplicitAny: what is read of it differs by kind
  readonly [key: string]: any;
}

const NONE: ManifestOptions = {
  scalerAddress: null,
  switcherAddress: null,
  tlsSecret: null,
  scalerNamespace: null,
  serviceAccount: "scaler",
  pipelinesFromCluster: false,
  switcherTokens: "none",
  audience: null,
  ha: false,
  targets: [],
  image: null,
  modelsClaim: null,
};

function write(options: Partial<ManifestOptions> = {}, pipeline = testPipeline()): Manifest[] {
  return manifestsOf(pipeline, { ...NONE, ...options }) as Manifest[];
}

const ofKind = (objects: readonly Manifest[], kind: string) => objects.filter(object => object.kind === kind);

describe("manifestsOf()", () => {
  it("gives several scalers the rights to share, where they run, and one scaler none of them", () => {
    const roles = (ha: boolean) =>
      ofKind(write({ ha, scalerNamespace: "control" }), "Role").map(({ metadata, rules }) => [
        metadata.namespace,
        (rules as readonly { readonly resources: readonly string[] }[]).flatMap(({ resources }) => resources),
      ]);
    const [own, shared, ...others] = roles(true);
    assert.deepEqual(roles(false), [own]);
    assert.deepEqual(shared, ["control", ["leases", "configmaps"]]);
    assert.deepEqual(others, []);
    const bindings = ofKind(write({ ha: true }), "RoleBinding");
    assert.deepEqual(
      bindings.map(({ roleRef }) => (roleRef as { readonly name: string }).name),
      ["scaler", "scaler-lease"],
    );
  });

  it("gives the scaler the rights to find its pipelines where it does", () => {
    const rulesOf = (options: Partial<ManifestOptions>) => ofKind(write(options), "Role")[0]?.["rules"];
    assert.deepEqual(rulesOf({}), ACCESS_RULES);
    assert.deepEqual(rulesOf({ pipelinesFromCluster: true }), [...ACCESS_RULES, ...PIPELINE_ACCESS_RULES]);
  });

  it("gives switchers a token of their pod, and the scaler the right to have it reviewed, where that is asked for", () => {
    const objects = write({ switcherTokens: "reviewed", image: "i", modelsClaim: "m", scalerNamespace: "control" });
    const [role] = ofKind(objects, "ClusterRole");
    assert.deepEqual(role?.["rules"], IDENTITY_RULES);
    assert.ok(!("namespace" in (role?.metadata ?? {})));
    const [binding] = ofKind(objects, "ClusterRoleBinding");
    assert.deepEqual(binding?.["roleRef"].name, role?.metadata.name);
    assert.deepEqual(binding?.["subjects"], [{ kind: "ServiceAccount", name: "scaler", namespace: "control" }]);
    for (const { spec } of ofKind(objects, "Deployment")) {
      const [container] = spec.template.spec.containers;
      const mount = container.volumeMounts.find((one: { name: string }) => one.name === "token");
      assert.ok(container.args.includes(`--scaler-token-file=${mount.mountPath}/token`));
      const volume = spec.template.spec.volumes.find((one: { name: string }) => one.name === "token");
      assert.deepEqual(volume.projected.sources, [
        { serviceAccountToken: { path: "token", audience: SWITCHER_AUDIENCE, expirationSeconds: 3600 } },
      ]);
    }
    const shown = write({ switcherTokens: "shown", audience: "variscale/shop/cards", image: "i", modelsClaim: "m" });
    assert.deepEqual(ofKind(shown, "ClusterRole"), [], "the chart has it");
    assert.match(JSON.stringify(shown), /"audience":"variscale\/shop\/cards"/);
    const without = write({ image: "i", modelsClaim: "m" });
    assert.deepEqual(ofKind(without, "ClusterRole"), []);
    assert.doesNotMatch(JSON.stringify(without), /scaler-token-file|serviceAccountToken/);
  });

  it("lets switchers run as the first service account of their stage, which it makes, where they show what they run as", () => {
    const bound = testPipeline({ serviceAccounts: ["cards", "scans"] });
    const options = { switcherTokens: "reviewed", image: "i", modelsClaim: "m" } as const;
    const accountsOf = (objects: readonly Manifest[]) => ({
      pods: ofKind(objects, "Deployment").map(({ spec }) => spec.template.spec.serviceAccountName),
      made: ofKind(objects, "ServiceAccount").map(({ metadata }) => metadata.name),
    });
    const made = ["scaler", "cards"];
    assert.deepEqual(accountsOf(write(options, bound)), { pods: ["cards", "cards"], made });
    const [, account] = ofKind(write(options, bound), "ServiceAccount");
    assert.deepEqual(account?.metadata, { name: "cards", namespace: "shop" });
    const none = { pods: [undefined, undefined], made: ["scaler"] };
    const usual = ["variscale-manifests", "variscale-manifests"];
    assert.deepEqual(accountsOf(write(options)), { pods: usual, made: ["scaler", "variscale-manifests"] });
    assert.deepEqual(accountsOf(write({ ...options, switcherTokens: "none", audience: null }, bound)), none);
    const targets = { ...options, targets: ["detect=a", "read=b"] };
    assert.deepEqual(accountsOf(write(targets, bound)), { pods: [], made: ["scaler"] });
  });

  it("mounts no token into the pods of switchers, and leaves other pods of their service account as they are", () => {
    const objects = (account: string) =>
      write(
        { switcherTokens: "reviewed", image: "i", modelsClaim: "m" },
        testPipeline({ serviceAccounts: [account, "scans"] }),
      );
    const accountsOf = (account: string) =>
      ofKind(objects(account), "ServiceAccount").filter(({ metadata }) => metadata.name === account);
    const [cards = {}, ...others] = accountsOf("cards");
    assert.deepEqual(Object.keys(cards), ["apiVersion", "kind", "metadata"]);
    assert.deepEqual(others, []);
    assert.deepEqual(accountsOf("default"), []);
    assert.deepEqual(
      ofKind(objects("default"), "Deployment").map(({ spec: { template } }) => [
        template.spec.serviceAccountName,
        template.spec.automountServiceAccountToken,
      ]),
      [
        ["default", false],
        ["default", false],
      ],
    );
  });

  it("writes the ScaledObject that makes KEDA set exactly what it is told", () => {
    assert.deepEqual(ofKind(write(), "ScaledObject")[0], {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: { name: "cards-detect", namespace: "shop" },
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "cards-detect" },
        minReplicaCount: 1,
        maxReplicaCount: 10,
        fallback: { failureThreshold: 3, replicas: 1, behavior: "currentReplicasIfHigher" },
        advanced: {
          horizontalPodAutoscalerConfig: {
            behavior: {
              scaleUp: {
                stabilizationWindowSeconds: 0,
                tolerance: "0",
                selectPolicy: "Max",
                policies: [{ type: "Pods", value: 1000, periodSeconds: 15 }],
              },
              scaleDown: {
                stabilizationWindowSeconds: 0,
                tolerance: "0",
                selectPolicy: "Max",
                policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
              },
            },
          },
        },
        triggers: [
          {
            type: "external-push",
            metricType: "AverageValue",
            metadata: {
              scalerAddress: "variscale-scaler.shop.svc.cluster.local:6000",
              pipeline: "cards",
              stage: "detect",
            },
          },
        ],
      },
    });
  });

  it("T21: never falls back to zero, also where a stage may be at zero", () => {
    for (const { spec } of ofKind(write({}, testPipeline({ minReplicas: 0 })), "ScaledObject")) {
      assert.equal(spec.minReplicaCount, 0);
      assert.equal(spec.fallback.replicas, 1);
    }
  });

  it("is what the scaler looks for", () => {
    const [detect, read] = ofKind(write(), "ScaledObject").map(object => scaledObjectView(object));
    assert.deepEqual([detect?.stage, read?.stage], ["detect", "read"]);
    assert.deepEqual(detect?.pipeline, { namespace: "shop", name: "cards" });
    assert.equal(detect?.hpa, "keda-hpa-cards-detect");
  });

  it("T20: puts TLS into a TriggerAuthentication, not into the metadata", () => {
    const objects = write({ tlsSecret: "keda-tls" });
    const trigger = ofKind(objects, "ScaledObject")[0]?.["spec"].triggers[0];
    assert.equal(trigger.metadata.enableTLS, "true");
    assert.deepEqual(trigger.authenticationRef, { name: "keda-tls" });
    assert.deepEqual(ofKind(objects, "TriggerAuthentication")[0]?.["spec"].secretTargetRef, [
      { parameter: "caCert", name: "keda-tls", key: "ca.crt" },
      { parameter: "tlsClientCert", name: "keda-tls", key: "tls.crt" },
      { parameter: "tlsClientKey", name: "keda-tls", key: "tls.key" },
    ]);
  });

  it("gives switchers their side of mutual TLS, which the scaler has on both of its ports", () => {
    const objects = write({ tlsSecret: "keda-tls", image: "i", modelsClaim: "m" });
    const deployments = ofKind(objects, "Deployment");
    assert.equal(deployments.length, 2);
    for (const { spec } of deployments) {
      const [container] = spec.template.spec.containers;
      const flag = container.args.find((arg: string) => arg.startsWith("--tls-folder="));
      const mount = container.volumeMounts.find(
        (one: { mountPath: string }) => flag === `--tls-folder=${one.mountPath}`,
      );
      const volume = spec.template.spec.volumes.find((one: { name: string }) => one.name === mount?.name);
      assert.deepEqual(volume?.secret, { secretName: "keda-tls" });
    }
    assert.doesNotMatch(JSON.stringify(write({ image: "i", modelsClaim: "m" })), /--tls-folder|keda-tls/);
  });

  it("gives the scaler rights in the pipeline's namespace, wherever it runs", () => {
    const objects = write({ scalerNamespace: "control" });
    assert.equal(ofKind(objects, "ServiceAccount")[0]?.metadata.namespace, "control");
    assert.equal(ofKind(objects, "Role")[0]?.metadata.namespace, "shop");
    assert.deepEqual(ofKind(objects, "RoleBinding")[0]?.["subjects"], [
      { kind: "ServiceAccount", name: "scaler", namespace: "control" },
    ]);
    assert.match(JSON.stringify(objects), /variscale-scaler\.control\.svc\.cluster\.local:6000/);
  });

  it("T23: writes switchers without a replica count, with a configuration that they take", () => {
    const objects = write({ image: "registry/variscale:1", modelsClaim: "models" });
    const deployments = ofKind(objects, "Deployment");
    assert.equal(deployments.length, 2);
    for (const { metadata, spec } of deployments) {
      assert.ok(!("replicas" in spec));
      const config = ofKind(objects, "ConfigMap").find(object => object.metadata.name === metadata.name);
      // What the container's flags add.
      const flags = { pod: "p", advertiseAddress: "10.0.0.1:8000" };
      const parsed = parseSwitcherConfig({ ...JSON.parse(config?.["data"]["switcher.json"]), ...flags });
      assert.equal(parsed.ports.http, 8000);
      assert.equal(parsed.adminHost, "127.0.0.1");
      assert.equal(parsed.crowding, 1);
      const service = ofKind(objects, "Service").find(object => object.metadata.name === metadata.name);
      assert.deepEqual(service?.["spec"].selector, spec.selector.matchLabels);
      const [container] = spec.template.spec.containers;
      assert.equal(container.securityContext.readOnlyRootFilesystem, true);
      assert.deepEqual(container.resources.requests, container.resources.limits);
      for (const name of ["MALLOC_ARENA_MAX", "NODE_OPTIONS"])
        assert.ok(container.env.some((one: { name: string }) => one.name === name));
    }
  });

  it("scales what is there already, of any kind, and writes no switchers for it", () => {
    const options = {
      targets: ["detect=StatefulSet/detector", "read=example.dev/v1/Reader/r"],
      image: "i",
      modelsClaim: "m",
    };
    const objects = write(options);
    assert.deepEqual(
      ofKind(objects, "ScaledObject").map(object => object["spec"].scaleTargetRef),
      [
        { kind: "StatefulSet", name: "detector" },
        { apiVersion: "example.dev/v1", kind: "Reader", name: "r" },
      ],
    );
    assert.equal(ofKind(objects, "Deployment").length, 0);
  });

  it("names options that can't be", () => {
    const invalid = (message: RegExp) => (error: unknown) =>
      error instanceof VariscaleError && error.code === "invalid_argument" && message.test(error.message);
    assert.throws(() => write({ targets: ["blur=x"] }), invalid(/no stage `blur`; there is: detect, read/));
    assert.throws(() => write({ targets: ["detect"] }), invalid(/stage=name/));
    assert.throws(() => write({ image: "i" }), invalid(/--models-claim/));
  });
});

describe("objectName()", () => {
  const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?$/);

  it("T24: leaves room for KEDA's own prefix, and is a DNS label", () => {
    fc.assert(
      fc.property(part, part, (pipeline, stage) => {
        const name = objectName(pipeline, stage);
        assert.ok(`keda-hpa-${name}`.length <= 63, name);
        assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      }),
    );
  });

  it("keeps apart what would be one name when it is joined", () => {
    const pairs = [
      ["a-b", "c"],
      ["a", "b-c"],
      ["a.b", "c"],
      ["a", "b.c"],
    ] as const;
    const names = pairs.map(([pipeline, stage]) => objectName(pipeline, stage));
    assert.equal(new Set(names).size, pairs.length, names.join(" "));
    assert.equal(objectName("id-card", "detection"), "id-card-detection");
  });

  it("keeps any two stages apart", () => {
    fc.assert(
      fc.property(part, part, fc.nat(), (pipeline, stage, at) => {
        // The same letters, split elsewhere.
        const joined = `${pipeline}-${stage}`;
        const dashes = [...joined].flatMap((letter, i) => (letter === "-" || letter === "." ? [i] : []));
        const split = dashes[at % dashes.length] ?? 0;
        const other = [joined.slice(0, split), joined.slice(split + 1)] as const;
        if (other[0] === pipeline) return;
        assert.notEqual(objectName(pipeline, stage), objectName(...other));
      }),
    );
  });

  it("keeps long names apart", () => {
    const long = "p".repeat(60);
    assert.notEqual(objectName(long, "detect"), objectName(long, "read"));
    assert.equal(objectName(long, "detect"), objectName(long, "detect"));
  });
});
