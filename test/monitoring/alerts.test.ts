import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { parse } from "yaml";
import { CONDITION_TYPES } from "../../control/board.ts";
import { packageFolder } from "../../runtime/version.ts";
import { PROCESS_CONDITION_TYPES } from "../../scaler/process-conditions.ts";
import { exposedMetrics } from "./exposed.ts";
import { matchersOf, metricsIn } from "./promql.ts";

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const { groups } = parse(readFileSync(join(packageFolder, "charts/variscale/files/alerts.yaml"), "utf8"));
const rules: readonly Rule[] = groups.flatMap((group: { rules: Rule[] }) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const expressions = rules.map(({ expr }) => expr);

describe("charts/variscale/files/alerts.yaml", () => {
  let exposed: ReadonlySet<string>;

  before(async () => {
    exposed = await exposedMetrics();
  });

  it("reads metrics that processes expose, and what it records itself", () => {
    const recorded = new Set(rules.map(({ record }) => record));
    const names = new Set(expressions.flatMap(metricsIn));
    assert.ok(names.size > 10, [...names].join(", "));
    for (const name of names) assert.ok(exposed.has(name) || recorded.has(name), `no process exposes ${name}`);
  });

  it("is of one namespace once the chart has replaced the matcher", () => {
    for (const expression of expressions)
      for (const matchers of matchersOf(expression)) assert.match(matchers, /namespace=~"\.\+"/, expression);
  });

  it("names conditions that there are", () => {
    const known: readonly string[] = [...CONDITION_TYPES, ...PROCESS_CONDITION_TYPES];
    const types = expressions.flatMap(expression => [...expression.matchAll(/\btype=~?"([^"]+)"/g)]);
    assert.ok(types.length > 5);
    for (const [, type = ""] of types) for (const one of type.split("|")) assert.ok(known.includes(one), one);
  });

  it("says of every alert what it is, how bad, and where to read on", () => {
    for (const { alert = "", labels, annotations } of alerts) {
      assert.match(labels?.["severity"] ?? "", /^(critical|warning|info)$/, alert);
      for (const text of ["summary", "description"]) assert.ok(annotations?.[text], `${alert}: ${text}`);
      assert.equal(annotations?.["runbook_url"], `docs/alerts.md#${alert.toLowerCase()}`);
    }
  });

  it("has a section in docs/alerts.md for every alert", () => {
    const text = readFileSync(join(packageFolder, "docs/alerts.md"), "utf8");
    const sections = [...text.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual([...sections].sort(), alerts.map(({ alert }) => alert).sort());
  });

  it("has a runbook that names metrics that there are", () => {
    const text = readFileSync(join(packageFolder, "docs/alerts.md"), "utf8");
    const names = [...text.matchAll(/`(variscale_\w+)`/g)].map(([, name = ""]) => name);
    assert.ok(names.length > 5);
    for (const name of names) assert.ok(exposed.has(name), name);
  });
});
