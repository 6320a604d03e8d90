import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "mocha";
import { parse } from "yaml";
import { firingAfter, promtool, RULES, type Series } from "./support/promtool.ts";

const OF = 'namespace="shop",pipeline="cards"';
const requests = (outcome: string) => `variscale_gateway_requests_total{${OF},outcome="${outcome}",reason=""}`;
const condition = (type: string) => `variscale_condition{${OF},type="${type}"}`;
const LATE = `variscale_gateway_late_requests_total{${OF}}`;
const SWITCHES = `variscale_switcher_switch_seconds_count{${OF},stage="detect",outcome`;
const IDENTITY = 'variscale_identity_checks_total{namespace="shop",pod="scaler-0",outcome';
const WATCHED = 'variscale_pipelines_watched{namespace="shop",pod="scaler-0",from';
const LEFT_OUT = `variscale_gateway_endpoints{${OF},stage="detect",state="left_out"}`;
const held = (assertion: string) => `variscale_gateway_assertions_total{${OF},assertion="${assertion}"}`;
const broken = (assertion: string) => `variscale_gateway_assertion_failures_total{${OF},assertion="${assertion}"}`;
const EXPIRY = 'variscale_tls_certificate_expiry_timestamp_seconds{namespace="shop",pod="scaler-0",file="tls.crt"}';
const DAY_SECONDS = 86_400;

/** A pipeline with ten requests a second of which one in fifty is late, where one in twenty may be. */
const HEALTHY: Series = {
  'variscale_build_info{namespace="shop",process="scaler"}': "1x700",
  'variscale_leader{namespace="shop",pod="scaler-0"}': "1x700",
  'variscale_leader{namespace="shop",pod="scaler-1"}': "0x700",
  [`variscale_board_age_seconds{${OF}}`]: "1x700",
  ...Object.fromEntries(
    ["Ready", "MetricsAvailable", "PlanFeasible", "ActuationExact", "Ticking"].map(type => [condition(type), "1x700"]),
  ),
  [condition("ActuationStuck")]: "0x700",
  [condition("AccuracyDrifted")]: "0x700",
  [`variscale_gateway_slo_quantile_ratio{${OF}}`]: "0.95x700",
  [LATE]: "0+12x700",
  [requests("served")]: "0+600x700",
  [requests("dropped")]: "0x700",
  [requests("lost")]: "0x700",
  [requests("failed")]: "0x700",
  [requests("cancelled")]: "0+600x700",
  [LEFT_OUT]: "0x700",
  [held("digits")]: "0+600x700",
  [broken("digits")]: "0+6x700",
  // Over sequences: one answer in a hundred follows one that is known.
  [held("steady")]: "0+6x700",
  [broken("steady")]: "0+0.06x700",
  [`${SWITCHES}="done"}`]: "0+1x700",
  [`${SWITCHES}="superseded"}`]: "0+1x700",
  [`variscale_switcher_sessions_lost_total{${OF},stage="detect",variant="heavy"}`]: "0x700",
  [`${IDENTITY}="verified"}`]: "0+10x700",
  [`${IDENTITY}="kept"}`]: "0+10x700",
  [`${IDENTITY}="mismatched"}`]: "0x700",
  [`${WATCHED}="configmap"}`]: "1x700",
  'variscale_pipelines_watched{namespace="shop",pod="scaler-1",from="configmap"}': "1x700",
  [EXPIRY]: `${30 * DAY_SECONDS}x700`,
  'variscale_tls_files_current{namespace="shop",pod="scaler-0"}': "1x700",
};

interface Scenario {
  readonly what: string;
  readonly change: Series;
  /** Minutes after which it must fire, and after which it must not yet. */
  readonly firesAt: number;
  readonly quietAt: number;
  /** Labels of the alert, `alertname` first. */
  readonly alert: string;
}

const alert = (name: string, severity: string, labels: string = OF): string =>
  `alertname="Variscale${name}",severity="${severity}",${labels}`;

const SCENARIOS: readonly Scenario[] = [
  {
    what: "the scaler's metrics are gone",
    change: { 'variscale_build_info{namespace="shop",process="scaler"}': "1x60 stale" },
    firesAt: 64,
    quietAt: 62,
    alert: 'alertname="VariscaleScalerDown",severity="critical",process="scaler"',
  },
  {
    what: "nobody leads",
    change: { 'variscale_leader{namespace="shop",pod="scaler-0"}': "1x60 0x100" },
    firesAt: 63,
    quietAt: 61,
    alert: alert("NoLeader", "critical", 'namespace="shop"'),
  },
  {
    what: "ticks fail",
    change: { [`variscale_board_age_seconds{${OF}}`]: "1x60 31+60x100" },
    firesAt: 63,
    quietAt: 61,
    alert: alert("PlanStale", "critical"),
  },
  {
    what: "there is no plan",
    change: { [condition("Ready")]: "0x700" },
    firesAt: 6,
    quietAt: 4,
    alert: alert("NotReady", "critical"),
  },
  {
    what: "there is no load data",
    change: { [condition("MetricsAvailable")]: "1x60 0x100" },
    firesAt: 67,
    quietAt: 65,
    alert: alert("MetricsUnavailable", "critical"),
  },
  {
    what: "no plan is feasible",
    change: { [condition("PlanFeasible")]: "1x60 0x100" },
    firesAt: 72,
    quietAt: 70,
    alert: alert("PlanInfeasible", "warning"),
  },
  {
    what: "replicas do not become ready",
    change: { [condition("ActuationStuck")]: "0x60 1x100" },
    firesAt: 67,
    quietAt: 65,
    alert: alert("ActuationStuck", "critical"),
  },
  {
    what: "the HPAs have a tolerance",
    change: { [condition("ActuationExact")]: "0x700" },
    firesAt: 16,
    quietAt: 14,
    alert: alert("ActuationInexact", "info"),
  },
  {
    what: "accuracy has drifted",
    change: { [condition("AccuracyDrifted")]: "0x60 1x100" },
    firesAt: 92,
    quietAt: 90,
    alert: alert("AccuracyDrifted", "warning"),
  },
  {
    what: "a part of the scaler's work does not get done",
    change: { [condition("StateSaved")]: "1x60 0x100" },
    firesAt: 77,
    quietAt: 75,
    alert: alert("WorkImpaired", "warning", `${OF},type="StateSaved"`),
  },
  {
    what: "one of two scalers can't watch what describes pipelines",
    change: { [`${WATCHED}="configmap"}`]: "1x60 0x100" },
    firesAt: 72,
    quietAt: 70,
    alert: alert("PipelinesUnwatched", "warning", 'from="configmap",namespace="shop"'),
  },
  {
    what: "a request is lost",
    change: { [requests("lost")]: "0x60 1x200" },
    firesAt: 63,
    quietAt: 59,
    alert: alert("RequestsLost", "critical"),
  },
  {
    what: "replicas are left out",
    change: { [LEFT_OUT]: "0x60 2x100" },
    firesAt: 67,
    quietAt: 65,
    alert: alert("ReplicasLeftOut", "warning", `${OF},stage="detect"`),
  },
  {
    what: "one request in four is late for hours, five times as many as may be",
    change: { [LATE]: "0+150x700" },
    firesAt: 400,
    quietAt: 10,
    alert: alert("SloBurnSlow", "warning"),
  },
  {
    what: "Switches fail",
    change: { [`${SWITCHES}="model_missing"}`]: "0x60 1 2 3 4 5x100" },
    firesAt: 66,
    quietAt: 62,
    alert: alert("SwitchesFailing", "warning", `${OF},stage="detect",outcome="model_missing"`),
  },
  {
    what: "the scaler does not know switchers",
    change: { [`${IDENTITY}="mismatched"}`]: "0x60 10+10x100" },
    firesAt: 66,
    quietAt: 62,
    alert: alert("SwitchersRefused", "warning", 'namespace="shop",outcome="mismatched"'),
  },
  {
    what: "sessions crash again and again",
    change: {
      [`variscale_switcher_sessions_lost_total{${OF},stage="detect",variant="heavy"}`]: "0x60 1 1 1 2 2 3x100",
    },
    firesAt: 70,
    quietAt: 62,
    alert: alert("SessionsLost", "warning", `${OF},stage="detect",variant="heavy"`),
  },
  {
    what: "an assertion fails for 5 % of the answers instead of 1 %",
    change: { [broken("digits")]: "0+6x360 2190+30x100" },
    firesAt: 410,
    quietAt: 365,
    alert: alert("AssertionsFailMore", "warning", `${OF},assertion="digits"`),
  },
  {
    what: "one over sequences fails for 5 % of the few answers that it is held against",
    change: { [broken("steady")]: "0+0.06x360 21.9+0.3x100" },
    firesAt: 410,
    quietAt: 365,
    alert: alert("AssertionsFailMore", "warning", `${OF},assertion="steady"`),
  },
  {
    what: "a certificate ends in a week",
    change: { [EXPIRY]: `${7 * DAY_SECONDS + 60 * 60}x700` },
    firesAt: 77,
    quietAt: 74,
    alert: alert("CertificateEnds", "warning", 'namespace="shop",pod="scaler-0",file="tls.crt"'),
  },
  {
    what: "a renewed certificate is not valid",
    change: { 'variscale_tls_files_current{namespace="shop",pod="scaler-0"}': "1x60 0x100" },
    firesAt: 72,
    quietAt: 70,
    alert: alert("CertificateRefused", "warning", 'namespace="shop",pod="scaler-0"'),
  },
];

function expectFiring(minutes: number, series: Series, firing: readonly string[]): void {
  const { passed, output } = firingAfter(minutes, series, firing);
  assert.ok(passed, `after ${minutes} minutes: ${output}`);
}

describe("the alerts of the chart", () => {
  it("are rules that Prometheus takes", () => {
    const { passed, output } = promtool("check", "rules", RULES);
    assert.ok(passed, output);
  });

  it("are silent where all is well, for hours", () => {
    for (const minutes of [5, 60, 400]) expectFiring(minutes, HEALTHY, []);
  });

  for (const { what, change, firesAt, quietAt, alert: fired } of SCENARIOS)
    it(`fire alone and not before their time where ${what}`, () => {
      expectFiring(quietAt, { ...HEALTHY, ...change }, []);
      expectFiring(firesAt, { ...HEALTHY, ...change }, [fired]);
    });

  it("are silent where one of few answers breaks an assertion", () => {
    const one = { [held("steady")]: "0+1x460", [broken("steady")]: "0x370 1x90" };
    for (const minutes of [375, 390, 398]) expectFiring(minutes, { ...HEALTHY, ...one }, []);
  });

  it("are silent where more of the answers follow one that is known, of which the same share fails", () => {
    const more = { [held("steady")]: "0+6x360 2760+600x100", [broken("steady")]: "0+0.3x360 138+30x100" };
    for (const minutes of [365, 380, 410]) expectFiring(minutes, { ...HEALTHY, ...more }, []);
  });

  it("burn the budget fast and slow where most requests are dropped, and stop soon after", () => {
    const series = {
      ...HEALTHY,
      [requests("served")]: "0+600x400 240000+180x90 256200+600x200",
      [requests("dropped")]: "0x400 0+420x90 37800x200",
    };
    const fast = alert("SloBurnFast", "critical");
    expectFiring(486, series, [fast, alert("SloBurnSlow", "warning")]);
    // The long window still remembers; the short one does not.
    expectFiring(505, series, [alert("SloBurnSlow", "warning")]);
    expectFiring(600, series, []);
  });

  it("have a scenario each", () => {
    const { groups } = parse(readFileSync(RULES, "utf8"));
    const names: string[] = groups.flatMap(({ rules }: { rules: { alert?: string }[] }) =>
      rules.flatMap(rule => (rule.alert === undefined ? [] : [rule.alert])),
    );
    const tried = SCENARIOS.map(scenario => /alertname="(\w+)"/.exec(scenario.alert)?.[1]);
    assert.deepEqual(new Set([...tried, "VariscaleSloBurnFast"]), new Set(names));
  });
});
