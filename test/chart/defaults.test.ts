import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { ID_CARD, type KubernetesObject, named, notes, podsOf, refusal, render } from "./helm.ts";
import { SeenCluster } from "./seen-cluster.ts";

/** The commit that the chart of version 0.1.0 is of. */
const OF_0_1_0 = "4dc4f79";

const SCALER_TOKEN = "variscale-scaler-token";

function readArgs(objects: readonly KubernetesObject[], name: string): readonly string[] {
  return named(objects, "Deployment", name).spec.template.spec.containers[0].args;
}

function readToken(objects: readonly KubernetesObject[]): unknown {
  const { env } = named(objects, "Deployment", "variscale-scaler").spec.template.spec.containers[0];
  return env.find(({ name }: KubernetesObject) => name === "VARISCALE_TOKEN")?.valueFrom;
}

describe("the chart's defaults", () => {
  let cluster: SeenCluster;
  beforeEach(async () => {
    cluster = await SeenCluster.open();
  });
  afterEach(() => cluster.close());

  it("close the scaler: certificates, a token for changes, and reviews of switchers' tokens", async () => {
    const objects = await cluster.install(ID_CARD);
    assert.deepEqual(readToken(objects), { secretKeyRef: { name: SCALER_TOKEN, key: "token" } });
    const { data } = named(objects, "Secret", SCALER_TOKEN);
    assert.match(Buffer.from(data.token, "base64").toString(), /^[A-Za-z0-9]{48}$/);
    const scaler = readArgs(objects, "variscale-scaler");
    for (const arg of ["--tls-folder=/etc/variscale/tls", "--switcher-identity=tokenreview"])
      assert.ok(scaler.includes(arg), arg);
    for (const account of ["variscale-switcher", "variscale-manifests"])
      assert.ok(scaler.includes(`--switcher-service-account=${account}`), account);
    const switcher = readArgs(objects, "variscale-id-card-detection");
    for (const arg of ["--tls-folder=/etc/variscale/tls", "--scaler-token-file=/var/run/secrets/variscale/token"])
      assert.ok(switcher.includes(arg), arg);
    const [trigger] = named(objects, "ScaledObject", "variscale-id-card-detection").spec.triggers;
    assert.equal(trigger.metadata.enableTLS, "true");
  });

  it("keep certificates and the token over an upgrade", async () => {
    const made = await cluster.install(ID_CARD);
    const kept = await cluster.install([...ID_CARD, "--set=switcher.logLevel=debug"]);
    for (const name of [SCALER_TOKEN, "variscale-tls", "variscale-client-tls"])
      assert.deepEqual(named(kept, "Secret", name).data, named(made, "Secret", name).data, name);
  });

  it("list ServiceAccounts only where nothing else tells whether Helm sees the cluster", async () => {
    await cluster.install(ID_CARD);
    const readLists = () => cluster.takeSeen("serviceaccounts").filter(path => path === "serviceaccounts");
    assert.equal(readLists().length, 1);
    await cluster.install(ID_CARD);
    await cluster.install([...ID_CARD, "--set=scaler.token.create=false"]);
    await cluster.install([...ID_CARD, "--set=scaler.token.existingSecret=mine,tls.mode=none"]);
    assert.equal(readLists().length, 0);
  });

  it("make no token where there is one, or none is wanted", async () => {
    for (const value of [
      "--set=scaler.token.existingSecret=mine",
      "--set=scaler.token.create=false",
      '--set-json=scaler.extraEnv=[{"name":"VARISCALE_TOKEN","value":"given-by-the-operator"}]',
    ]) {
      const objects = await cluster.install([...ID_CARD, value]);
      assert.ok(!objects.some(({ kind, metadata }) => kind === "Secret" && metadata.name === SCALER_TOKEN), value);
    }
  });

  it("make neither where Helm sees no cluster, which would get new ones each time; the notes say what is open", () => {
    const objects = render(...ID_CARD);
    assert.ok(!objects.some(({ kind }) => kind === "Secret"));
    assert.equal(readToken(objects), undefined);
    assert.ok(readArgs(objects, "variscale-scaler").includes("--switcher-identity=tokenreview"));
    const text = notes(...ID_CARD);
    for (const open of [
      /tls\.mode is auto, without certificates/,
      /no token: .*refused/s,
      /networkPolicy\.enabled is false/,
    ])
      assert.match(text, open);
    assert.doesNotMatch(text, /switcher\.identity is/);
  });

  it("review no tokens without rights of the scaler's own", () => {
    const objects = render(...ID_CARD, "--set=rbac.create=false,scaler.replicas=1");
    assert.ok(!readArgs(objects, "variscale-scaler").some(arg => arg.startsWith("--switcher-identity")));
    assert.ok(!objects.some(({ kind }) => kind.startsWith("ClusterRole")));
  });

  it("give tokens another audience where one is named, at both ends", () => {
    const objects = render(...ID_CARD, "--set=switcher.tokenAudience=variscale/shop/cards");
    assert.ok(readArgs(objects, "variscale-scaler").includes("--switcher-audience=variscale/shop/cards"));
    const { volumes } = named(objects, "Deployment", "variscale-id-card-detection").spec.template.spec;
    const { projected } = volumes.find(({ name }: KubernetesObject) => name === "token");
    assert.equal(projected.sources[0].serviceAccountToken.audience, "variscale/shop/cards");
  });

  describe("over a release of version 0.1.0", () => {
    let folder: string;
    let chart: string;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), "variscale-old-chart-"));
      const archive = spawnSync("git", ["archive", OF_0_1_0, "charts/variscale"], { cwd: packageFolder });
      assert.equal(
        archive.status,
        0,
        `the chart of ${OF_0_1_0} is not here: this test needs the history of the repository, not a shallow clone (git fetch --unshallow): ${archive.stderr}`,
      );
      const unpacked = spawnSync("tar", ["-x", "-C", folder], { input: archive.stdout });
      assert.equal(unpacked.status, 0, String(unpacked.stderr));
      chart = join(folder, "charts/variscale");
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it("change nothing that can't be changed, and find the pods that there are", async () => {
      const before = await cluster.install(ID_CARD, chart);
      assert.equal(readToken(before), undefined);
      const now = await cluster.install(ID_CARD);
      for (const old of before) {
        const { spec } = named(now, old.kind, old.metadata.name);
        assert.deepEqual(spec?.selector, old.spec?.selector, `${old.kind} ${old.metadata.name}`);
        assert.deepEqual(spec?.scaleTargetRef, old.spec?.scaleTargetRef, old.metadata.name);
        assert.equal(spec?.clusterIP, old.spec?.clusterIP, old.metadata.name);
      }
      for (const { name, spec } of podsOf(before)) {
        const ports = podsOf(now)
          .find(pod => pod.name === name)
          ?.spec.containers.map(({ ports }: KubernetesObject) => ports);
        assert.deepEqual(
          ports,
          spec.containers.map(({ ports: own }: KubernetesObject) => own),
          name,
        );
      }
    });

    it("stay as they were where its values are used again, but for the token", async () => {
      const before = await cluster.install(ID_CARD, chart);
      // With --reuse-values Helm knows the defaults of the old chart alone, and none that the new one has added.
      const reused = join(folder, "reused");
      cpSync(join(packageFolder, "charts/variscale"), reused, { recursive: true });
      cpSync(join(chart, "values.yaml"), join(reused, "values.yaml"));
      const now = await cluster.install(ID_CARD, reused);
      for (const name of ["variscale-id-card-detection", "variscale-id-card-recognition"])
        assert.deepEqual(readArgs(now, name), readArgs(before, name));
      assert.deepEqual(readArgs(now, "variscale-scaler"), readArgs(before, "variscale-scaler"));
      assert.ok(readToken(now));
    });

    for (const [values, has, hasNot] of [
      ["tls.mode=none", [], ["--tls-folder"]],
      ["tls.mode=certManager", ["--tls-folder"], []],
      ["tls.existingSecret=mine,tls.clientSecret=theirs", ["--tls-folder"], []],
      ["switcher.identity=none", ["--tls-folder"], ["--switcher-identity"]],
      ["switcher.identity=tokenReview,switcher.serviceAccountPerStage=true", ["--switcher-identity"], []],
      ["switcher.identity=tokenReview,switcher.serviceAccounts={mine}", ["--switcher-service-account=mine"], []],
      ["rbac.create=false,scaler.replicas=1", [], ["--switcher-identity"]],
      ["scaler.kedaThread=true", [], ["--keda-thread"]],
      ["scaler.token.existingSecret=mine", [], []],
      ["networkPolicy.enabled=true,monitoring.enabled=true,monitoring.rules.enabled=true", [], []],
      ["scaler.replicas=1,scaler.state.persistence.enabled=true", [], []],
    ] as const)
      it(`take what an operator had set: ${values}`, async () => {
        await cluster.install([...ID_CARD, `--set=${values}`], chart);
        const args = readArgs(await cluster.install([...ID_CARD, `--set=${values}`]), "variscale-scaler");
        for (const arg of has)
          assert.ok(
            args.some(one => one.startsWith(arg)),
            `${arg} is not in ${args}`,
          );
        for (const arg of hasNot) assert.ok(!args.some(one => one.startsWith(arg)), `${arg} is in ${args}`);
      });

    it("say what does nothing any more, and refuse values that never were by their name", () => {
      assert.match(notes(...ID_CARD, "--set=scaler.kedaThread=true"), /scaler\.kedaThread does nothing any more/);
      assert.doesNotMatch(notes(...ID_CARD, "--set=scaler.kedaThread=false"), /kedaThread/);
      assert.match(refusal(...ID_CARD, "--set=scaler.kedaThreads=true"), /scaler.*kedaThreads/s);
    });
  });
});
