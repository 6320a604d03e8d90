import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parse } from "yaml";
import { checkNetwork, networkPolicySchema } from "../../cli/doctor/check-network.ts";
import { ACCESS_RULES, IDENTITY_RULES, PIPELINE_ACCESS_RULES } from "../../cli/manifests/access-rules.ts";
import { pipelineCrd } from "../../cli/manifests/pipeline-crd.ts";
import { scaledObjectOf, triggerAuthenticationOf } from "../../cli/manifests/scaled-object.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { packageFolder, packageVersion } from "../../runtime/version.ts";
import { PIPELINE_KEY, PIPELINE_LABEL } from "../../scaler/described-pipeline.ts";
import { SWITCHER_AUDIENCE } from "../../scaler/token-review.ts";
import { parseSwitcherConfig } from "../../variant-switcher/parse-config.ts";
import { ID_CARD, type KubernetesObject, lint, named, podsOf, refusal, render } from "./helm.ts";

const EVERYTHING = [
  ...ID_CARD,
  "--set=mode=active,networkPolicy.enabled=true,monitoring.enabled=true,scaler.replicas=1",
  "--set=switcher.podDisruptionBudget.enabled=true,scaler.state.persistence.enabled=true,scaler.token.existingSecret=t",
  "--set=gateway.podLabels.a=b,scaler.podAnnotations.a=b,switcher.podLabels.a=b,scaledObjects.annotations.a=b",
] as const;

/** Values of a pipeline with one stage. */
function oneStage(name: string, stage: string): object {
  const file = { metadata: { name }, spec: { stages: [{ name: stage, variants: [] }], code: "x" } };
  return { file, models: { prepare: true } };
}

const pipelineOf = (objects: readonly KubernetesObject[]) => {
  const { data } = named(objects, "ConfigMap", "variscale-id-card");
  const parsed = parsePipelineFile(data["pipeline.yaml"], name => data[name] ?? null);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.pipeline;
};

describe("the chart", () => {
  it("is clean for helm lint --strict", () => {
    assert.match(lint(...ID_CARD), /0 chart\(s\) failed/);
    lint(...EVERYTHING);
  });

  it("has the version of the package as its image's tag", () => {
    for (const { spec } of podsOf(render(...ID_CARD)))
      for (const { image } of spec.containers) assert.equal(image, `registry.example/variscale:${packageVersion}`);
  });

  it("makes every object once, in the release's namespace", () => {
    const objects = render(...EVERYTHING);
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.equal(new Set(names).size, names.length, names.join("\n"));
    for (const { kind, metadata } of objects)
      assert.equal(metadata.namespace, kind.startsWith("ClusterRole") ? undefined : "shop", metadata.name);
  });

  it("gives switchers a configuration that they take, with what was measured", () => {
    const { data } = named(render(...ID_CARD), "ConfigMap", "variscale-id-card");
    for (const [stage, count] of Object.entries({ detection: 6, recognition: 5 })) {
      const config = parseSwitcherConfig({
        ...JSON.parse(data[`switcher-${stage}.json`]),
        pod: "pod-0",
        advertiseAddress: "10.0.0.1:8000",
        scalerAddress: "variscale-switchers.shop.svc:6001",
      });
      assert.deepEqual(config.pipeline, { namespace: "shop", name: "id-card" });
      assert.equal(config.variants.length, count);
      for (const { name, loadMs } of config.variants) assert.ok(loadMs !== null && loadMs > 0, name);
    }
  });

  it("gives the scaler the estimators of accuracy", () => {
    assert.ok(pipelineOf(render(...ID_CARD)).accuracy.estimators.length > 0);
  });

  it("is in shadow mode by default, with ScaledObjects that KEDA leaves alone; active where it is told", () => {
    const pausedOf = (objects: readonly KubernetesObject[]) =>
      named(objects, "ScaledObject", "variscale-id-card-detection").metadata.annotations?.[
        "autoscaling.keda.sh/paused"
      ];
    const shadow = render(...ID_CARD);
    assert.equal(pipelineOf(shadow).mode, "shadow");
    assert.equal(pausedOf(shadow), "true");
    for (const mode of ["active", "file"]) {
      const active = render(...ID_CARD, `--set=mode=${mode}`);
      assert.equal(pipelineOf(active).mode, "active");
      assert.equal(pausedOf(active), undefined);
    }
  });

  it("makes the ScaledObjects that `variscale manifests` makes", () => {
    const objects = render(...ID_CARD, "--set=mode=active");
    const pipeline = pipelineOf(objects);
    for (const stage of pipeline.stages) {
      const name = `variscale-id-card-${stage.name}`;
      const { spec } = scaledObjectOf(pipeline, stage, {
        scalerAddress: "variscale-scaler.shop.svc.cluster.local:6000",
        authentication: null,
        target: { kind: "Deployment", name, apiVersion: "apps/v1" },
      }) as KubernetesObject;
      assert.deepEqual(named(objects, "ScaledObject", name).spec, spec);
    }
  });

  it("T20: speaks mutual TLS with a Secret, whose client side KEDA gets by a TriggerAuthentication alone", () => {
    const objects = render(...ID_CARD, "--set=tls.existingSecret=server,tls.clientSecret=client");
    for (const { name, spec } of podsOf(objects)) {
      const mounted = spec.volumes.find((volume: KubernetesObject) => volume.name === "tls")?.secret.secretName;
      const secrets = { "variscale-scaler": "server", "variscale-id-card-gateway": undefined };
      assert.equal(mounted, name in secrets ? Reflect.get(secrets, name) : "client", name);
      const args = spec.containers.flatMap((container: KubernetesObject) => container.args);
      if (mounted && name !== "variscale-test") assert.ok(args.includes("--tls-folder=/etc/variscale/tls"), name);
    }
    const made = named(objects, "TriggerAuthentication", "variscale-scaler");
    assert.deepEqual(made.spec, (triggerAuthenticationOf("shop", "client") as KubernetesObject).spec);
    const [trigger] = named(objects, "ScaledObject", "variscale-id-card-detection").spec.triggers;
    assert.equal(trigger.metadata.enableTLS, "true");
    assert.deepEqual(trigger.authenticationRef, { name: made.metadata.name });
    assert.ok(!render(...ID_CARD).some(({ kind }) => kind === "TriggerAuthentication"));
  });

  it("takes no port with TLS for plaintext HTTP/2", () => {
    const portsOf = (objects: readonly KubernetesObject[]) =>
      ["variscale-scaler", "variscale-switchers"].flatMap(name => named(objects, "Service", name).spec.ports);
    const grpc = (objects: readonly KubernetesObject[]) =>
      portsOf(objects).filter(({ name }: KubernetesObject) => name.startsWith("grpc"));
    for (const port of grpc(render(...ID_CARD))) assert.equal(port.appProtocol, "kubernetes.io/h2c", port.name);
    for (const port of grpc(render(...ID_CARD, "--set=tls.existingSecret=server")))
      assert.equal(port.appProtocol, undefined, port.name);
  });

  it("T20: has KEDA's side of mutual TLS also for ScaledObjects that others write", () => {
    const objects = render(...ID_CARD, "--set=tls.existingSecret=server,scaledObjects.enabled=false");
    named(objects, "TriggerAuthentication", "variscale-scaler");
    assert.ok(!objects.some(({ kind }) => kind === "ScaledObject"));
  });

  it("gives the scaler files of the operator's, as the authority of a Prometheus", () => {
    const volumes = [{ name: "ca", secret: { secretName: "prometheus-ca" } }];
    const mounts = [{ name: "ca", mountPath: "/etc/prometheus", readOnly: true }];
    const objects = render(
      ...ID_CARD,
      `--set-json=scaler.extraVolumes=${JSON.stringify(volumes)}`,
      `--set-json=scaler.extraVolumeMounts=${JSON.stringify(mounts)}`,
    );
    const { spec } = named(objects, "Deployment", "variscale-scaler").spec.template;
    assert.deepEqual(spec.volumes.at(-1), volumes[0]);
    assert.deepEqual(spec.containers[0].volumeMounts.at(-1), mounts[0]);
  });

  it("gives the scaler the names under which a proxy in its pod asks", () => {
    const objects = render(...ID_CARD, "--set=scaler.allowedHosts={tools.example,devbox}");
    const { args } = named(objects, "Deployment", "variscale-scaler").spec.template.spec.containers[0];
    const given = args.filter((arg: string) => arg.startsWith("--allowed-host"));
    assert.deepEqual(given, ["--allowed-host=tools.example", "--allowed-host=devbox"]);
    assert.match(refusal(...ID_CARD, "--set=scaler.allowedHosts={https://tools.example}"), /allowedHosts/);
  });

  it("keeps files as they are, whatever they begin with", () => {
    const text = "   // indented\n\ttabs: {{ .x }} & <é>\n\n";
    const files = JSON.stringify({ "stages.mjs": text });
    const { data } = named(
      render(...ID_CARD, `--set-json=pipelines.id-card.files=${files}`),
      "ConfigMap",
      "variscale-id-card",
    );
    assert.equal(data["stages.mjs"], text);
  });

  it("gives the scaler the rights that it needs and no others", () => {
    const objects = render(...ID_CARD);
    const alone = render(...ID_CARD, "--set=scaler.replicas=1");
    assert.deepEqual(named(alone, "Role", "variscale-scaler").rules, ACCESS_RULES);
    const watching = render(...ID_CARD, "--set=scaler.replicas=1,scaler.pipelinesFrom={crd}");
    const rules = [...ACCESS_RULES, ...PIPELINE_ACCESS_RULES];
    assert.deepEqual(named(watching, "Role", "variscale-scaler").rules, rules);
    const naming = render(...ID_CARD, "--set=scaler.replicas=1,scaler.pipelinesFrom={scaledobjects}");
    assert.deepEqual(named(naming, "Role", "variscale-scaler").rules, rules);
    assert.match(JSON.stringify(podsOf(naming)), /"--pipelines-from=scaledobjects"/);
    assert.match(refusal(...ID_CARD, "--set=scaler.pipelinesFrom={git}"), /pipelinesFrom/);
    const scaler = podsOf(watching).find(({ name }) => name === "variscale-scaler");
    assert.ok(scaler?.spec.containers[0].args.includes("--pipelines-from=crd"));
    const [, ofLease = ""] =
      /^rules:\n((?: {2}- .*\n)+)/m.exec(readFileSync(join(packageFolder, "docs/high-availability.md"), "utf8")) ?? [];
    assert.deepEqual(named(objects, "Role", "variscale-scaler").rules, [...ACCESS_RULES, ...parse(ofLease)]);
    const withToken = podsOf(objects).filter(({ spec }) => spec.automountServiceAccountToken !== false);
    assert.deepEqual(
      withToken.map(({ name }) => name),
      ["variscale-scaler"],
    );
  });

  it("knows switchers by the tokens of their pods where that is asked for, and has the right to", () => {
    const tokenOf = (objects: readonly KubernetesObject[]) => {
      const { spec } = named(objects, "Deployment", "variscale-id-card-detection").spec.template;
      const mount = spec.containers[0].volumeMounts.find(({ name }: KubernetesObject) => name === "token");
      const volume = spec.volumes.find(({ name }: KubernetesObject) => name === "token");
      return { account: spec.serviceAccountName, args: spec.containers[0].args, mount, volume };
    };
    const argsOf = (objects: readonly KubernetesObject[]): readonly string[] =>
      named(objects, "Deployment", "variscale-scaler").spec.template.spec.containers[0].args;
    const without = render(...ID_CARD, "--set=switcher.identity=none");
    assert.doesNotMatch(JSON.stringify([tokenOf(without), argsOf(without)]), /token|identity|service-account/);
    assert.ok(!without.some(({ kind }) => kind.startsWith("ClusterRole")));
    const objects = render(...ID_CARD, "--set=switcher.identity=tokenReview,switcher.serviceAccounts={own}");
    const { account, args, mount, volume } = tokenOf(objects);
    assert.ok(args.includes(`--scaler-token-file=${mount.mountPath}/token`));
    const [{ serviceAccountToken }] = volume.projected.sources;
    assert.equal(serviceAccountToken.audience, SWITCHER_AUDIENCE);
    assert.equal(serviceAccountToken.path, "token");
    assert.equal(named(objects, "ServiceAccount", account).automountServiceAccountToken, false);
    assert.deepEqual(
      argsOf(objects).filter(arg => arg.startsWith("--switcher-")),
      ["--switcher-identity=tokenreview", `--switcher-service-account=${account}`, "--switcher-service-account=own"],
    );
    const name = "variscale.shop.identity.variscale.dev";
    assert.deepEqual(named(objects, "ClusterRole", name).rules, IDENTITY_RULES);
    const { roleRef, subjects } = named(objects, "ClusterRoleBinding", name);
    assert.equal(roleRef.name, name);
    assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: "variscale-scaler", namespace: "shop" }]);
    assert.match(refusal(...ID_CARD, "--set=switcher.identity=tokenreview"), /identity/);
    const noRights = refusal(...ID_CARD, "--set=switcher.identity=tokenReview,rbac.create=false,scaler.replicas=1");
    assert.match(noRights, /switcher\.identity: must be none without rbac\.create/);
  });

  it("binds each stage to a service account of its own where that is asked for, or to those that its file names", () => {
    const accountsOf = (objects: readonly KubernetesObject[]) => {
      const { stages } = pipelineOf(objects);
      const podsOfStage = (stage: string) =>
        named(objects, "Deployment", `variscale-id-card-${stage}`).spec.template.spec.serviceAccountName;
      const { args } = named(objects, "Deployment", "variscale-scaler").spec.template.spec.containers[0];
      return {
        bound: Object.fromEntries(stages.map(({ name, serviceAccounts }) => [name, serviceAccounts])),
        pods: Object.fromEntries(stages.map(({ name }) => [name, podsOfStage(name)])),
        taken: args.flatMap((arg: string) => /^--switcher-service-account=(.*)$/.exec(arg)?.[1] ?? []),
        made: objects.flatMap(({ kind, metadata }) =>
          kind === "ServiceAccount" && metadata.name !== "variscale-scaler" ? [metadata.name] : [],
        ),
      };
    };
    const shared = accountsOf(render(...ID_CARD, "--set=switcher.identity=tokenReview"));
    const names = Object.keys(shared.bound);
    assert.ok(names.length > 1);
    const each = (value: (name: string) => unknown) => Object.fromEntries(names.map(name => [name, value(name)]));
    assert.deepEqual(shared, {
      bound: each(() => []),
      pods: each(() => "variscale-switcher"),
      ...{ taken: ["variscale-switcher", "variscale-manifests"], made: ["variscale-switcher"] },
    });
    const perStage = ["--set=switcher.identity=tokenReview,switcher.serviceAccountPerStage=true"];
    const own = names.map(name => `variscale-id-card-${name}`);
    assert.deepEqual(accountsOf(render(...ID_CARD, ...perStage)), {
      bound: each(name => [`variscale-id-card-${name}`]),
      pods: each(name => `variscale-id-card-${name}`),
      ...{ taken: ["variscale-switcher", "variscale-manifests", ...own], made: ["variscale-switcher", ...own] },
    });
    const file = parse(readFileSync(join(packageFolder, "pipelines/id-card/pipeline.yaml"), "utf8"));
    file.spec.stages[0].serviceAccounts = ["cards", "cards-canary"];
    const [first = "", ...others] = names;
    const given = ID_CARD.map(value =>
      value.includes("id-card.file=") ? `--set-json=pipelines.id-card.file=${JSON.stringify(file)}` : value,
    );
    const written = accountsOf(render(...given, ...perStage));
    assert.deepEqual(written.bound, {
      ...each(name => [`variscale-id-card-${name}`]),
      [first]: ["cards", "cards-canary"],
    });
    assert.equal(written.pods[first], "cards");
    const rest = others.map(name => `variscale-id-card-${name}`);
    assert.deepEqual(written.taken, ["variscale-switcher", "variscale-manifests", "cards", "cards-canary", ...rest]);
    assert.deepEqual(written.made, ["variscale-switcher", ...rest]);
    const refused = refusal(...ID_CARD, "--set=switcher.serviceAccountPerStage=true,switcher.identity=none");
    assert.match(refused, /switcher\.serviceAccountPerStage: must be false without switcher\.identity=tokenReview/);
  });

  it("has the definition of InferencePipeline where that is asked for, and it stays when the release goes", () => {
    const isDefinition = ({ kind }: KubernetesObject) => kind === "CustomResourceDefinition";
    assert.ok(!render(...ID_CARD).some(isDefinition));
    assert.deepEqual(render(...ID_CARD, "--set=crds.install=true").filter(isDefinition), [pipelineCrd()]);
  });

  it("needs no pipeline of its own where the scaler finds them in the cluster", () => {
    const objects = render("--set=image.repository=r,scaler.pipelinesFrom={crd},crds.install=true");
    const args: readonly string[] = podsOf(objects).find(({ name }) => name === "variscale-scaler")?.spec.containers[0]
      .args;
    assert.deepEqual(
      args.filter(arg => arg.startsWith("--pipelines-from")),
      ["--pipelines-from=crd"],
    );
    assert.ok(!args.some(arg => arg.startsWith("/app/mounted")));
    assert.ok(!objects.some(({ kind }) => kind === "ScaledObject"));
  });

  it("has no ConfigMap that its own scaler would take for a second description of a pipeline", () => {
    const objects = render(...ID_CARD, "--set=scaler.pipelinesFrom={configmaps}");
    const { data, metadata } = named(objects, "ConfigMap", "variscale-id-card");
    assert.ok(PIPELINE_KEY in data);
    assert.ok(!(PIPELINE_LABEL in metadata.labels));
  });

  it("lets switchers in pods of one's own report through network policies", () => {
    const peer = { podSelector: { matchLabels: { "app.kubernetes.io/name": "variscale-switcher" } } };
    const fromOf = (...values: readonly string[]) =>
      named(
        render(...ID_CARD, "--set=networkPolicy.enabled=true", ...values),
        "NetworkPolicy",
        "variscale-scaler",
      ).spec.ingress.find(({ ports }: KubernetesObject) => ports[0].port === "grpc-switchers").from;
    const own = fromOf();
    assert.equal(own.length, 1);
    const both = fromOf(`--set-json=networkPolicy.switchersFrom=${JSON.stringify([peer])}`);
    assert.deepEqual(both, [...own, peer]);
  });

  it("lets KEDA and its own switchers in through network policies, and no others, as `variscale doctor` reads them", () => {
    const objects = render(...ID_CARD, "--set=networkPolicy.enabled=true");
    const policies = objects.filter(({ kind }) => kind === "NetworkPolicy").map(one => networkPolicySchema.parse(one));
    const pods = (what: string, namespace: string, labels: Record<string, string> = {}) => ({
      ...{ what, namespace, labels },
      namespaceLabels: { "kubernetes.io/metadata.name": namespace },
    });
    const readLabels = (name: string) => named(objects, "Deployment", name).spec.template.metadata.labels;
    const scaler = pods("scaler", "shop", readLabels("variscale-scaler"));
    const reaches = (caller: ReturnType<typeof pods>) =>
      (["grpc-keda", "grpc-switchers"] as const).map(
        (name, i) => checkNetwork(policies, caller, scaler, { name, number: 6000 + i }).kind === "ok",
      );
    assert.deepEqual(reaches(pods("KEDA", "keda")), [true, false]);
    assert.deepEqual(reaches(pods("a switcher", "shop", readLabels("variscale-id-card-detection"))), [false, true]);
    assert.deepEqual(reaches(pods("another", "shop", { app: "web" })), [false, false]);
    assert.deepEqual(reaches(pods("another", "web", readLabels("variscale-id-card-detection"))), [false, false]);
  });

  it("T23: leaves the replicas of stages to KEDA", () => {
    for (const stage of ["detection", "recognition"])
      assert.ok(!("replicas" in named(render(...ID_CARD), "Deployment", `variscale-id-card-${stage}`).spec));
  });

  it("runs every container as the `restricted` standard asks, on a read-only root", () => {
    for (const { name, spec } of podsOf(render(...EVERYTHING))) {
      assert.ok(spec.securityContext.runAsNonRoot && spec.securityContext.runAsUser > 0, name);
      for (const { securityContext: context, resources } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        assert.deepEqual(context.capabilities, { drop: ["ALL"] }, name);
        assert.equal(context.allowPrivilegeEscalation, false, name);
        assert.equal(context.readOnlyRootFilesystem, true, name);
        assert.equal(context.seccompProfile.type, "RuntimeDefault", name);
        assert.ok(resources.requests.memory && resources.limits.memory, name);
      }
    }
  });

  it("fits together: Services find pods and ports, mounts have volumes, volumes have ConfigMaps", () => {
    const objects = render(...EVERYTHING);
    const pods = podsOf(objects);
    const matching = (selector: object) =>
      pods.filter(({ labels }) => Object.entries(selector).every(([key, value]) => Reflect.get(labels, key) === value));
    for (const { metadata, spec } of objects.filter(({ kind }) => kind === "Service")) {
      const found = matching(spec.selector);
      assert.equal(found.length, 1, metadata.name);
      const ports = found[0]?.spec.containers.flatMap((container: KubernetesObject) => container.ports ?? []);
      for (const { port, targetPort } of spec.ports)
        assert.equal(
          ports.find((known: KubernetesObject) => known.name === targetPort)?.containerPort,
          port,
          metadata.name,
        );
    }
    for (const { name, spec } of pods) {
      const volumes = new Map<string, KubernetesObject>(
        spec.volumes.map((volume: KubernetesObject) => [volume.name, volume]),
      );
      for (const container of spec.containers)
        for (const mount of container.volumeMounts) assert.ok(volumes.has(mount.name), `${name}: ${mount.name}`);
      for (const { configMap } of volumes.values()) if (configMap) named(objects, "ConfigMap", configMap.name);
    }
    for (const { spec, metadata } of objects.filter(({ kind }) => kind === "Deployment"))
      assert.ok(matching(spec.selector.matchLabels).some(pod => pod.name === metadata.name));
  });

  it("scales what is there already", () => {
    const objects = render(
      ...ID_CARD,
      "--set=pipelines.id-card.stages.enabled=false,pipelines.id-card.gateway.enabled=false",
      "--set=pipelines.id-card.stages.targets.detection.name=a,pipelines.id-card.stages.targets.recognition.name=b",
      "--set=pipelines.id-card.loadSource=prometheus+http://prometheus:9090",
    );
    assert.deepEqual(
      objects.filter(({ kind }) => kind === "Deployment").map(({ metadata }) => metadata.name),
      ["variscale-scaler"],
    );
    const { scaleTargetRef } = named(objects, "ScaledObject", "variscale-id-card-detection").spec;
    assert.deepEqual(scaleTargetRef, { apiVersion: "apps/v1", kind: "Deployment", name: "a" });
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no pipeline", ["--set=image.repository=r"], /pipelines: must have at least one/],
    ["no image", [...ID_CARD, "--set=image.repository="], /image\.repository: must name/],
    ["a mode that there is not", [...ID_CARD, "--set=mode=dry"], /mode/],
    [
      "a gateway over TLS, which the scaler can't read",
      [...ID_CARD, "--set=pipelines.id-card.loadSource=https://gateway"],
      /loadSource/,
    ],
    ["an unknown value", [...ID_CARD, "--set=scaler.replica=2"], /replica/],
    ["an unknown value of a pipeline", [...ID_CARD, "--set=pipelines.id-card.model=x"], /model/],
    ["no models", [...ID_CARD, "--set=pipelines.id-card.models.prepare=false"], /models: must have `volume`/],
    [
      "a file that is not YAML",
      [...ID_CARD, `--set-file=pipelines.id-card.file=${packageFolder}/LICENSE`],
      /file: is not YAML/,
    ],
    [
      "a file of another pipeline",
      [...ID_CARD, `--set-file=pipelines.other.file=${packageFolder}/pipelines/id-card/pipeline.yaml`],
      /metadata\.name must be other/,
    ],
    ["names that get too long", [...ID_CARD, `--set=fullnameOverride=${"a".repeat(36)}`], /at most 54 characters/],
    [
      "two stages with one name for their objects",
      [
        "--set=image.repository=r",
        `--set-json=pipelines=${JSON.stringify({ a: oneStage("a", "b-c"), "a-b": oneStage("a-b", "c") })}`,
      ],
      /pipelines\.a-b: .*variscale-a-b-c like those of stage b-c of pipelines\.a:/,
    ],
    [
      "a target of no stage",
      [...ID_CARD, "--set=pipelines.id-card.stages.targets.x.name=y"],
      /targets\.x: is not a stage/,
    ],
    [
      "stages without a target",
      [...ID_CARD, "--set=pipelines.id-card.stages.enabled=false"],
      /targets: must have detection/,
    ],
  ];
  for (const [what, values, reason] of refused)
    it(`refuses ${what}`, () => {
      assert.match(refusal(...values), reason);
    });
});
