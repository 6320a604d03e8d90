import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import type { Finding } from "../../cli/doctor/finding.ts";
import { packageVersion } from "../../runtime/version.ts";
import { findingOf, findingsIn } from "./support/findings.ts";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const CLINIC = { namespace: "clinic", name: "cards", stages: ["detect"] } as const;

describe("doctor", () => {
  let scaler: ScalerProcess;
  let detect: Target;

  before(async () => {
    scaler = await ScalerProcess.start(theCluster(), [CLINIC]);
    const metadata = { scalerAddress: scaler.address, pipeline: "cards", stage: "detect" };
    detect = await Target.create(theCluster(), { namespace: "clinic", name: "detect", metadata });
    await scaler.pin(CLINIC, "detect", 2);
    await detect.untilReady(2);
  });

  after(async () => {
    await detect.remove();
    await scaler.close();
  });

  async function untilFound(check: string, what: RegExp): Promise<Finding> {
    let found: Finding | undefined;
    await until(async () => {
      found = (await findingsIn("clinic")).find(finding => finding.check === check && what.test(finding.what));
      return found !== undefined;
    }, `doctor says ${what} of ${check}`);
    return found ?? assert.fail();
  }

  function change(spec: object): Promise<void> {
    return theCluster().api.merge("Deployment", "clinic", "detect", { spec });
  }

  it("reads clocks, versions, load and pods of what really runs", async () => {
    const findings = await findingsIn("clinic");
    const clocks = findings.filter(({ check }) => check === "clock");
    assert.deepEqual(
      clocks.map(({ kind }) => kind),
      ["ok", "ok"],
    );
    assert.equal(findingOf(findings, "versions", "scaler").what, `runs ${packageVersion}`);
    assert.match(findingOf(findings, "versions", "pipeline").what, /^no switcher is connected/);
    assert.match(findingOf(findings, "metrics-source").what, /^load comes: 1\.0 requests a second/);
    assert.equal(findingOf(findings, "pods").what, "2 of 2 pods are ready");
    // As the API server fills it in.
    assert.match(findingOf(findings, "rollout").what, /takes up to 12 of 50 replicas away.*maxUnavailable 25%/);
  });

  it("says which pods no node has room for, in the scheduler's words", async () => {
    const container = { name: "switcher", image: "none" };
    const resources = { requests: { cpu: "10000" } };
    const template = (its: object) => ({ template: { spec: { containers: [{ ...container, ...its }] } } });
    await change(template({ resources }));
    const found = await untilFound("pods", /Unschedulable: .*Insufficient cpu/);
    assert.equal(found.kind, "warn");
    await change(template({ resources: null }));
    await untilFound("pods", /^2 of 2 pods are ready$/);
  });

  it("says which pods a quota forbids", async () => {
    const path = "/api/v1/namespaces/clinic/resourcequotas/few";
    const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "few" }, spec: { hard: { pods: "2" } } };
    const { api } = theCluster();
    await api.applyAt(path, JSON.stringify(quota));
    try {
      await scaler.pin(CLINIC, "detect", 4);
      const found = await untilFound("rollout", /pods can't be made: FailedCreate: .*exceeded quota: few/);
      assert.equal(found.kind, "fail");
    } finally {
      await api.call("DELETE", path);
    }
  });

  it("says that the load source gives nothing any more", async () => {
    scaler.loseLoad();
    const found = await untilFound("metrics-source", /no load comes/);
    assert.equal(found.kind, "fail");
  });
});
