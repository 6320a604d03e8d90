import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { checkClock } from "../../../cli/doctor/check-clock.ts";
import { checkSwitcherToken } from "../../../cli/doctor/check-identity.ts";
import { checkPipelineState, pipelineStateSchema } from "../../../cli/doctor/check-pipeline-state.ts";
import { checkPods } from "../../../cli/doctor/check-pods.ts";
import { checkRollout } from "../../../cli/doctor/check-rollout.ts";
import { checkScalerVersion, checkSwitcherVersions } from "../../../cli/doctor/check-versions.ts";
import { between, readClock } from "../../../cli/doctor/clock-reading.ts";
import { autoscalerSchema, targetSchema } from "../../../cli/doctor/cluster-objects.ts";
import type { Finding } from "../../../cli/doctor/finding.ts";
import { isSelected } from "../../../runtime/label-selector.ts";
import { podSchema } from "../../../scaler/pod-troubles.ts";

const shown = (findings: readonly Finding[]) => findings.map(({ kind, what }) => `${kind}: ${what}`);

describe("readClock() and checkClock()", () => {
  const atMs = Date.parse("2027-01-01T00:00:10.500Z");
  const reading = (date: string, tookMs = 0) => readClock(date, atMs - tookMs / 2, atMs + tookMs / 2);

  it("counts only what is certain: the header has whole seconds, and an answer takes its time", () => {
    assert.deepEqual(reading("Fri, 01 Jan 2027 00:00:10 GMT", 200), { aheadMs: 0, uncertainMs: 600 });
    assert.deepEqual(shown(checkClock(reading("Fri, 01 Jan 2027 00:00:12 GMT"), "x", "ours")), [
      "ok: its clock agrees with ours within 2.0 s",
    ]);
    // 3 s, of which 1.9 s may be the way of the answer.
    assert.equal(checkClock(reading("Fri, 01 Jan 2027 00:00:13 GMT", 2800), "x", "ours")[0]?.kind, "ok");
    assert.deepEqual(shown(checkClock(reading("Fri, 01 Jan 2027 00:00:13 GMT"), "x", "ours")), [
      "warn: its clock is 3.0 s ahead of ours: load, waits and ages are off by as much",
    ]);
    assert.equal(checkClock(reading("Thu, 31 Dec 2026 23:59:00 GMT"), "x", "ours")[0]?.kind, "fail");
    assert.deepEqual(checkClock(reading("never"), "x", "ours"), []);
  });

  it("compares two servers by ours", () => {
    const first = reading("Fri, 01 Jan 2027 00:00:20 GMT");
    const second = reading("Fri, 01 Jan 2027 00:00:15 GMT");
    assert.ok(first && second);
    assert.deepEqual(between(first, second), { aheadMs: 5000, uncertainMs: 1000 });
  });
});

describe("checkSwitcherToken()", () => {
  const token = (audience?: string) => ({ serviceAccountToken: { path: "token", ...(audience ? { audience } : {}) } });
  const volumes = (source: object) => [{ name: "token", projected: { sources: [{ configMap: {} }, source] } }];
  const volumeMounts = [{ name: "token", mountPath: "/run/token/" }];
  const args = ["switcher", "--config=/etc/s.json", "--scaler-token-file", "/run/token/token"];
  const check = (
    container: object,
    more: object = {},
    accounts: readonly string[] = [],
    bound: readonly string[] = [],
    audience = "",
  ) => {
    const template = { spec: { containers: [{ name: "model" }, { name: "s", ...container }], ...more } };
    const target = targetSchema.parse({ metadata: { name: "d" }, spec: { template } });
    assert.ok(target.spec.template);
    const workload = { where: "x", template: target.spec.template, pipeline: "shop/cards", stage: "detect" };
    return shown(checkSwitcherToken(workload, { serviceAccounts: accounts, ...(audience && { audience }) }, bound));
  };

  it("takes a projected token for the scaler's audience, also where the configuration names it", () => {
    const taken = ["ok: shows a token for the audience variscale, of default"];
    assert.deepEqual(check({ args, volumeMounts }, { volumes: volumes(token("variscale")) }), taken);
    const command = ["variscale", "switcher", "--config=/etc/s.json"];
    assert.deepEqual(check({ command, volumeMounts }, { volumes: volumes(token("variscale")) }), taken);
  });

  it("takes one for another audience where the scaler has another", () => {
    const own = { volumes: volumes(token("variscale/shop/cards")) };
    assert.match(check({ args, volumeMounts }, own, [], [], "variscale/shop/cards")[0] ?? "", /^ok: /);
    assert.match(check({ args, volumeMounts }, own)[0] ?? "", /^fail: .* and the scaler takes those for variscale$/);
  });

  it("says what the scaler would refuse", () => {
    const [other] = check({ args, volumeMounts }, { volumes: volumes(token()) });
    assert.match(
      other ?? "",
      /^fail: the token of container s is for the API server, and the scaler takes those for variscale/,
    );
    assert.match(check({ args: args.slice(0, 2) })[0] ?? "", /^fail: container s shows no token/);
    assert.match(check({ args })[0] ?? "", /is \/run\/token\/token, where no projected .* is mounted$/);
    const elsewhere = ["switcher", "--scaler-token-file=/run/token/other"];
    assert.match(
      check({ args: elsewhere, volumeMounts }, { volumes: volumes(token("variscale")) })[0] ?? "",
      /^fail: /,
    );
    const right = { volumes: volumes(token("variscale")) };
    assert.match(check({ args, volumeMounts }, right, ["cards"])[0] ?? "", /^fail: .* `default`, .* run as cards$/);
    const [bound] = check({ args, volumeMounts }, right, ["cards", "default"], ["cards", "scans"]);
    assert.match(bound ?? "", /^fail: .* `default`, and switchers of stage `detect` run as cards, scans$/);
    assert.match(check({ args, volumeMounts }, right, [], ["default"])[0] ?? "", /^ok: /);
    assert.match(check({ args, volumeMounts }, { ...right, serviceAccountName: "cards" }, ["cards"])[0] ?? "", /^ok/);
  });

  it("says nothing of pods without a switcher", () => {
    assert.deepEqual(check({ args: ["tritonserver", "--model-repository=/models"] }), []);
  });
});

describe("checkRollout()", () => {
  const autoscaler = (tolerance?: string) =>
    autoscalerSchema.parse({
      metadata: { name: "h" },
      spec: { maxReplicas: 10, behavior: { scaleUp: { tolerance }, scaleDown: { tolerance } } },
    });
  const check = (spec: object, tolerance?: string) =>
    shown(
      checkRollout(
        targetSchema.parse({ kind: "Deployment", metadata: { name: "d" }, spec }),
        autoscaler(tolerance),
        "x",
      ),
    );

  it("takes what Kubernetes does where nothing is said: a quarter more and a quarter less", () => {
    assert.deepEqual(check({}, "0"), [
      "warn: a rollout takes up to 2 of 10 replicas away, which the plan counts on (maxUnavailable 25%)",
    ]);
  });

  it("T2: knows surge pods that an HPA with a tolerance keeps", () => {
    const strategy = { rollingUpdate: { maxUnavailable: 0, maxSurge: 4 } };
    assert.deepEqual(check({ strategy }, "0"), ["ok: a rollout takes no replica away, and adds up to 4 pods to 10"]);
    assert.deepEqual(check({ strategy }), [
      "warn: a rollout adds up to 4 pods, and an HPA with a tolerance may keep them for good",
    ]);
  });

  it("knows Recreate, and leaves StatefulSets alone", () => {
    assert.match(check({ strategy: { type: "Recreate" } }, "0")[0] ?? "", /^fail: strategy Recreate/);
    const set = targetSchema.parse({ kind: "StatefulSet", metadata: { name: "s" } });
    assert.deepEqual(checkRollout(set, null, "x"), []);
  });
});

describe("checkPods()", () => {
  const nowMs = Date.parse("2027-01-01T00:10:00Z");
  const pod = (name: string, status: object, metadata: object = {}) =>
    podSchema.parse({
      metadata: { namespace: "shop", name, creationTimestamp: "2027-01-01T00:00:00Z", ...metadata },
      status,
    });
  const ready = pod("r", { phase: "Running", conditions: [{ type: "Ready", status: "True" }] });
  const waiting = (reason: string, restartCount = 0) => ({
    phase: "Pending",
    containerStatuses: [{ name: "switcher", restartCount, state: { waiting: { reason, message: "m" } } }],
  });

  it("lets pods start, and leaves out those that end", () => {
    const young = pod("y", waiting("ContainerCreating"), { creationTimestamp: "2027-01-01T00:09:00Z" });
    const ending = pod("e", { phase: "Pending" }, { deletionTimestamp: "2027-01-01T00:09:59Z" });
    assert.deepEqual(shown(checkPods([ready, young, ending], "x", nowMs)), [
      "ok: 1 of 2 pods are ready, the others start",
    ]);
  });

  it("says why they do not start, and what to do", () => {
    for (const [reason, restarts, fix] of [
      ["ImagePullBackOff", 0, /pull secret/],
      ["CreateContainerConfigError", 0, /ConfigMap or Secret/],
      ["CrashLoopBackOff", 3, /kubectl -n shop logs p -c switcher --previous/],
    ] as const) {
      const [finding] = checkPods([ready, pod("p", waiting(reason, restarts))], "x", nowMs);
      assert.equal(finding?.kind, "fail");
      assert.equal(finding.what, `1 of 2 pods not ready: ${reason}: m (p)`);
      assert.match(finding.fix ?? "", fix);
    }
    assert.deepEqual(shown(checkPods([pod("p", { phase: "Running" })], "x", nowMs)), [
      "fail: 1 of 1 pods not ready: runs and does not become ready (p)",
    ]);
  });
});

describe("isSelected()", () => {
  it("reads selectors as Kubernetes does", () => {
    const labels = { app: "a", tier: "gpu" };
    assert.ok(isSelected(labels, {}));
    assert.ok(isSelected(labels, { matchLabels: { app: "a" } }));
    assert.ok(!isSelected(labels, { matchLabels: { app: "b" } }));
    const meets = (operator: string, key: string, values?: string[]) =>
      isSelected(labels, { matchExpressions: [{ key, operator, values }] });
    assert.deepEqual(
      [meets("In", "app", ["a", "b"]), meets("NotIn", "app", ["a"]), meets("NotIn", "zone", ["a"])],
      [true, false, true],
    );
    assert.deepEqual(
      [meets("Exists", "tier"), meets("DoesNotExist", "tier"), meets("Other", "tier")],
      [true, false, false],
    );
  });
});

describe("checkScalerVersion() and checkSwitcherVersions()", () => {
  it("take one minor version apart", () => {
    const kind = (version: string | null) => checkScalerVersion(version, "1.4.0", "x").kind;
    assert.deepEqual(
      [kind("1.4.2"), kind("1.3.9"), kind("1.2.0"), kind("2.4.0"), kind(null)],
      ["ok", "ok", "warn", "warn", "warn"],
    );
    const of = (...versions: readonly string[]) => shown([checkSwitcherVersions(versions, "1.4.0", "x")])[0];
    assert.equal(of("1.4.0", "1.4.0"), "ok: switchers run 2 × 1.4.0");
    assert.equal(of("1.4.0", "1.3.0"), "warn: switchers run 1 × 1.4.0, 1 × 1.3.0");
    assert.match(of("1.4.0", "1.2.0") ?? "", /^fail: switchers run .* and the scaler 1\.4\.0/);
    assert.match(of() ?? "", /^ok: no switcher is connected/);
  });
});

describe("checkPipelineState()", () => {
  const condition = (type: string, status: boolean, message = "") => ({ type, status, message });
  const check = (board: object | null, ...processConditions: object[]) =>
    shown(
      checkPipelineState(pipelineStateSchema.parse({ mode: "active", board, switchers: [], processConditions }), "x"),
    );

  it("says whether load comes", () => {
    const calm = "ok: the scaler complains of nothing";
    assert.deepEqual(check(null), ["warn: has no decision yet", calm]);
    assert.deepEqual(check({ load: { rateRps: 3 }, conditions: [condition("MetricsAvailable", true)] }), [
      "ok: load comes: 3.0 requests a second",
      calm,
    ]);
    assert.deepEqual(check(null, condition("LoadSourceAnswering", false, "refused")), [
      "fail: no load comes: refused",
      calm,
    ]);
    assert.deepEqual(check({ load: null, conditions: [] }, condition("LoadSourceWithoutWarnings", false, "gaps")), [
      "warn: gaps",
      calm,
    ]);
  });

  it("repeats what else the scaler complains of, whichever way a condition is bad", () => {
    const conditions = [
      condition("ActuationStuck", true, "read"),
      condition("AccuracyDrifted", false),
      condition("ActuationExact", false, "told by `tolerance`"),
    ];
    const board = { load: { rateRps: 1 }, conditions };
    assert.deepEqual(check(board, condition("StateSaved", false, "read-only")).slice(1), [
      "warn: ActuationStuck: read",
      "warn: StateSaved: read-only",
    ]);
  });
});
