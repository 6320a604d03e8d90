import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parse } from "yaml";
import { blocksIn } from "../../bench/documents.ts";
import { packageFolder } from "../../runtime/version.ts";
import { parseTriggerMetadata } from "../../scaler/metadata.ts";
import { checkYaml } from "../docs/check-yaml.ts";

const FILE = "charts/keda-scaler/artifacthub-pkg.yml";
/** Without them Artifact Hub does not take a package. */
const REQUIRED = ["version", "name", "displayName", "createdAt", "description"];
/** All that it reads of one, and that this package may have. */
const KNOWN = [
  ...REQUIRED,
  ...["category", "license", "appVersion", "containsSecurityUpdates", "prerelease", "keywords", "recommendations"],
  ...["readme", "install", "changes", "links", "homeURL", "logoPath", "maintainers"],
];

const read = (path: string) => readFileSync(join(packageFolder, path), "utf8");

describe("the package of the KEDA scaler for Artifact Hub", () => {
  const found = parse(read(FILE));
  const chart = parse(read("charts/variscale/Chart.yaml"));

  it("has what Artifact Hub must have, and nothing that it does not know", () => {
    for (const key of REQUIRED) assert.equal(typeof found[key], "string", key);
    assert.deepEqual(
      Object.keys(found).filter(key => !KNOWN.includes(key)),
      [],
    );
    assert.match(found.name, /^[a-z0-9-]+$/);
    assert.match(found.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(!Number.isNaN(Date.parse(found.createdAt)));
  });

  it("is of one version with package and chart, and says the same of them", () => {
    const { version, license } = JSON.parse(read("package.json"));
    assert.deepEqual([found.version, found.appVersion, found.license], [version, version, license]);
    assert.deepEqual([found.version, found.appVersion, found.name], [chart.version, chart.appVersion, chart.name]);
    const said = (key: string) => chart.annotations[`artifacthub.io/${key}`];
    assert.equal(String(found.prerelease), said("prerelease"));
    assert.equal(String(found.containsSecurityUpdates), said("containsSecurityUpdates"));
    assert.equal(found.category, said("category"));
    assert.deepEqual(found.recommendations, parse(said("recommendations")));
  });

  it("has a ScaledObject whose trigger the scaler takes", () => {
    const blocks = blocksIn(FILE, found.install).filter(({ language }) => language === "yaml");
    assert.equal(blocks.length, 1);
    const scaledObject = parse(blocks[0]?.text ?? "");
    assert.deepEqual(checkYaml(scaledObject), []);
    const { triggers, advanced } = scaledObject.spec;
    assert.equal(triggers.length, 1);
    assert.deepEqual([triggers[0].type, triggers[0].metricType], ["external-push", "AverageValue"]);
    assert.deepEqual(parseTriggerMetadata(triggers[0].metadata), { pipeline: "id-card", stage: "detection" });
    const { scaleUp, scaleDown } = advanced.horizontalPodAutoscalerConfig.behavior;
    assert.deepEqual([scaleUp.tolerance, scaleDown.tolerance], ["0", "0"]);
  });

  it("has a line in its README for keys that the scaler takes", () => {
    const named = [...found.readme.matchAll(/^\| `(\w+)` /gm)].map(([, key]) => key);
    assert.ok(named.length > 0);
    const values = Object.fromEntries(named.map(key => [key, key === "enableTLS" ? "true" : "x"]));
    assert.deepEqual(parseTriggerMetadata(values), { pipeline: "x", stage: "x" });
  });
});
