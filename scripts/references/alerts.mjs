// The reference of alerts: the rule file that the chart installs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { table } from "./table.mjs";

export function alertsReference(root) {
  const { groups } = parse(readFileSync(join(root, "charts/variscale/files/alerts.yaml"), "utf8"));
  const rules = groups.flatMap(group => group.rules);
  const recorded = new Map(rules.filter(({ record }) => record).map(({ record, expr }) => [record, expr]));
  const alerts = rules.filter(({ alert }) => alert);
  return [
    "# Reference: alerts",
    "",
    "Written from [charts/variscale/files/alerts.yaml](../../charts/variscale/files/alerts.yaml) by `npm run build && node scripts/write-references.mjs`.",
    "What each means and what to do: [alerts](../alerts.md). The metrics that they look at: [metrics](metrics.md).",
    "",
    table(
      ["alert", "severity", "after", "what it says", "looks at"],
      alerts.map(({ alert, for: after, labels, annotations, expr }) => [
        `[${alert}](../alerts.md#${alert.toLowerCase()})`,
        labels.severity,
        after ?? "at once",
        plain(annotations.summary),
        metricsOf(expr, recorded)
          .map(name => `\`${name}\``)
          .join(", "),
      ]),
    ),
  ].join("\n");
}

/** `{{ $labels.stage }}` is whichever stage it is. */
function plain(summary) {
  return summary.replaceAll(/\{\{ *\$(?:labels\.)?(\w+) *\}\}/g, "_$1_");
}

/** Ours alone, those of recorded rules among them. */
function metricsOf(expr, recorded) {
  const whole = [...recorded].reduce((text, [name, of]) => text.replaceAll(name, of), expr);
  return [...new Set(whole.match(/\bvariscale_\w+/g) ?? [])];
}
