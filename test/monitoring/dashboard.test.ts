import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { exposedMetrics } from "./exposed.ts";
import { matchersOf, metricsIn } from "./promql.ts";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

const dashboard = JSON.parse(readFileSync(join(packageFolder, "charts/variscale/files/dashboard.json"), "utf8"));
const panels: readonly Panel[] = dashboard.panels;
const graphs = panels.filter(({ type }) => type !== "row");
const expressions = graphs.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

describe("charts/variscale/files/dashboard.json", () => {
  let exposed: ReadonlySet<string>;

  before(async () => {
    exposed = await exposedMetrics();
  });

  it("shows metrics that processes expose", () => {
    const queries: readonly string[] = dashboard.templating.list.flatMap(({ definition = "" }) => definition);
    const names = new Set([...expressions, ...queries].flatMap(metricsIn));
    assert.ok(names.size > 20, [...names].join(", "));
    for (const name of names) assert.ok(exposed.has(name), `no process exposes ${name}`);
  });

  it("is of the pipelines that were chosen, by variables that there are", () => {
    for (const expression of expressions)
      for (const matchers of matchersOf(expression)) assert.match(matchers, /namespace=~"\$namespace"/, expression);
    const variables = new Set([
      "__rate_interval",
      ...dashboard.templating.list.map(({ name }: Panel & { name: string }) => name),
    ]);
    for (const [, name = ""] of JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g)) assert.ok(variables.has(name), name);
  });

  it("gives failures of assertions as a share of the answers that each was held against", () => {
    const [expression = "", ...others] = expressions.filter(one => one.includes("assertion_failures_total"));
    assert.deepEqual(others, []);
    const rate = (name: string): string =>
      String.raw`sum by \(assertion\) \(rate\(variscale_gateway_${name}_total\{[^}]*\}\[\$__rate_interval\]\)\)`;
    assert.match(expression, new RegExp(`^${rate("assertion_failures")} / ${rate("assertions")}$`));
  });

  it("says of every panel what it shows, once", () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const { title, description, targets = [] } of graphs) {
      assert.ok(title && description && targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    }
  });

  it("has panels that do not overlap", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.equal(taken.get(`${x},${y}`), undefined, title);
          taken.set(`${x},${y}`, title);
        }
    }
  });
});
