import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { ID_CARD, type KubernetesObject, named, refusal, render } from "./helm.ts";

const scalerOf = (objects: readonly KubernetesObject[]) => named(objects, "Deployment", "variscale-scaler").spec;
const argsOf = (objects: readonly KubernetesObject[]): readonly string[] =>
  scalerOf(objects).template.spec.containers[0].args;

describe("the chart's scalers", () => {
  it("are two that share a Lease, and say where they are", () => {
    const objects = render(...ID_CARD);
    const { replicas, strategy, template } = scalerOf(objects);
    assert.equal(replicas, 2);
    assert.deepEqual(strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
    const args = argsOf(objects);
    for (const arg of ["--ha=lease", "--lease-name=variscale-scaler", "--lease-namespace=shop"])
      assert.ok(args.includes(arg), arg);
    const [address] = template.spec.containers[0].env;
    assert.deepEqual(address, { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } });
  });

  it("are kept apart, and never moved all at once", () => {
    const objects = render(...ID_CARD);
    const { template } = scalerOf(objects);
    const spread: readonly KubernetesObject[] = template.spec.topologySpreadConstraints;
    assert.deepEqual(
      spread.map(({ topologyKey }) => topologyKey),
      ["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
    );
    const { spec } = named(objects, "PodDisruptionBudget", "variscale-scaler");
    assert.equal(spec.minAvailable, 1);
    for (const { matchLabels } of [spec.selector, ...spread.map(one => one.labelSelector)])
      for (const [name, value] of Object.entries(matchLabels)) assert.equal(template.metadata.labels[name], value);
  });

  it("may talk to each other and to switchers behind network policies", () => {
    const { ingress } = named(
      render(...ID_CARD, "--set=networkPolicy.enabled=true"),
      "NetworkPolicy",
      "variscale-scaler",
    ).spec;
    const http = ingress.find(({ ports }: KubernetesObject) => ports[0].port === "http");
    const components = http.from.map(
      ({ podSelector }: KubernetesObject) => podSelector.matchLabels["app.kubernetes.io/component"],
    );
    assert.deepEqual(components, ["test", "scaler"]);
  });

  it("is one alone where that is asked for, with a volume if wanted, and no rights to Leases", () => {
    const objects = render(...ID_CARD, "--set=scaler.replicas=1,scaler.state.persistence.enabled=true");
    assert.equal(scalerOf(objects).strategy.type, "Recreate");
    assert.equal(scalerOf(objects).template.spec.topologySpreadConstraints, undefined);
    assert.ok(!argsOf(objects).some(arg => /^--(ha|lease)/.test(arg)));
    assert.equal(named(objects, "PodDisruptionBudget", "variscale-scaler").spec.maxUnavailable, 1);
    assert.doesNotMatch(JSON.stringify(named(objects, "Role", "variscale-scaler").rules), /leases|configmaps/);
  });

  it("are spread as is asked for", () => {
    const constraint = { maxSkew: 1, topologyKey: "rack", whenUnsatisfiable: "DoNotSchedule" };
    const objects = render(
      ...ID_CARD,
      `--set-json=scaler.topologySpreadConstraints=${JSON.stringify([constraint])}`,
      "--set=scaler.podDisruptionBudget.enabled=false",
    );
    assert.deepEqual(scalerOf(objects).template.spec.topologySpreadConstraints, [constraint]);
    assert.ok(!objects.some(({ kind }) => kind === "PodDisruptionBudget"));
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["several without rights", "rbac.create=false", /scaler\.replicas: must be 1 without rbac\.create/],
    [
      "several with one volume",
      "scaler.state.persistence.enabled=true",
      /must not be enabled with scaler\.replicas above 1/,
    ],
    ["none", "scaler.replicas=0", /replicas/],
  ];
  for (const [what, values, reason] of refused)
    it(`refuses ${what}`, () => {
      assert.match(refusal(...ID_CARD, `--set=${values}`), reason);
    });
});
