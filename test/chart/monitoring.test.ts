import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { parse } from "yaml";
import { packageFolder } from "../../runtime/version.ts";
import { ID_CARD, type KubernetesObject, named, refusal, render } from "./helm.ts";

const MONITORS = [...ID_CARD, "--set=monitoring.enabled=true"];
const RULES = [...ID_CARD, "--set=monitoring.rules.enabled=true"];
const files = join(packageFolder, "charts/variscale/files");

describe("the chart's monitoring", () => {
  it("is off by default", () => {
    const kinds = new Set(render(...ID_CARD).map(({ kind }) => kind));
    for (const kind of ["ServiceMonitor", "PodMonitor", "PrometheusRule"]) assert.ok(!kinds.has(kind), kind);
  });

  it("gives series of gateways and switchers the label of their pipeline, and keeps what processes say", () => {
    const objects = render(...MONITORS);
    for (const component of ["switcher", "gateway"]) {
      const [endpoint] = named(objects, "PodMonitor", `variscale-${component}`).spec.podMetricsEndpoints;
      assert.equal(endpoint.honorLabels, true);
      assert.equal(endpoint.relabelings[0].targetLabel, "pipeline");
      // What the operator makes of a label of pods.
      const label = endpoint.relabelings[0].sourceLabels[0].replace("__meta_kubernetes_pod_label_", "");
      const pods = objects.filter(({ metadata, spec }) => {
        const of: string | undefined = metadata.labels?.["app.kubernetes.io/component"];
        return spec?.template && of === component;
      });
      for (const { spec } of pods) {
        const labels = Object.keys(spec.template.metadata.labels).map(name => name.replace(/[^a-zA-Z0-9_]/g, "_"));
        assert.ok(labels.includes(label));
      }
    }
    assert.equal(named(objects, "ServiceMonitor", "variscale-scaler").spec.endpoints[0].honorLabels, true);
  });

  it("has the rules of the file, of its own namespace alone", () => {
    const { spec } = named(render(...RULES), "PrometheusRule", "variscale");
    const text = readFileSync(join(files, "alerts.yaml"), "utf8").replaceAll('namespace=~".+"', 'namespace="shop"');
    assert.deepEqual(spec.groups, parse(text).groups);
    assert.doesNotMatch(JSON.stringify(spec), /=~\\"\.\+/);
  });

  it("leaves out alerts, labels others, and names its own runbook", () => {
    const { metadata, spec } = named(
      render(
        ...RULES,
        "--set=monitoring.rules.disabled={VariscaleActuationInexact,VariscaleCertificateEnds,VariscaleCertificateRefused}",
        "--set=monitoring.rules.labels.release=prometheus,monitoring.rules.alertLabels.team=ml",
        "--set=monitoring.rules.runbookUrl=https://wiki.example/alerts",
      ),
      "PrometheusRule",
      "variscale",
    );
    assert.equal(metadata.labels.release, "prometheus");
    const rules: readonly KubernetesObject[] = spec.groups.flatMap((group: KubernetesObject) => group.rules);
    const alerts = rules.filter(({ alert }) => alert);
    assert.ok(alerts.length > 10 && !alerts.some(({ alert }) => /Inexact|Certificate/.test(alert)));
    for (const { alert, labels, annotations } of alerts) {
      assert.ok(labels.severity && labels.team === "ml", alert);
      assert.equal(annotations.runbook_url, `https://wiki.example/alerts#${alert.toLowerCase()}`);
    }
    for (const rule of rules) if (rule.record) assert.equal(rule.labels, undefined);
    // A group without rules is refused by the operator.
    assert.ok(spec.groups.every((group: KubernetesObject) => group.rules.length > 0));
  });

  it("has the dashboard of the file, where Grafana's sidecar finds it", () => {
    const objects = render(
      ...ID_CARD,
      "--set=monitoring.dashboard.enabled=true,monitoring.dashboard.annotations.grafana_folder=ml",
    );
    const { metadata, data } = named(objects, "ConfigMap", "variscale-dashboard");
    assert.equal(metadata.labels.grafana_dashboard, "1");
    assert.deepEqual(metadata.annotations, { grafana_folder: "ml" });
    assert.equal(data["variscale.json"], readFileSync(join(files, "dashboard.json"), "utf8"));
    assert.ok(!render(...ID_CARD).some(object => object.metadata.name === "variscale-dashboard"));
  });

  it("refuses to leave out an alert that there is not", () => {
    assert.match(
      refusal(...RULES, "--set=monitoring.rules.disabled={Watchdog}"),
      /there is no alert Watchdog; .*Variscale/,
    );
  });
});
