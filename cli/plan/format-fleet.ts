import type { Plan } from "../../domain/plan.ts";
import { number, percent } from "../../explanation/number-text.ts";
import type { FleetPlan } from "../../optimizer/fleet-plan.ts";
import { formatPlan } from "./format-plan.ts";

/** Plans of several pipelines, and what they are together. */
export function formatFleet(fleet: FleetPlan, names: readonly string[]): string {
  return format(fleet, names, "together");
}

/** Plans of several pipelines that have a stage in common. */
export function formatShared(shared: FleetPlan, names: readonly string[], stage: string): string {
  return format(shared, names, `together, \`${stage}\` counted once`);
}

function format(fleet: FleetPlan, names: readonly string[], together: string): string {
  const { prices, servedShare } = fleet;
  const worth = [
    ...(prices.core > 0 ? [`one core more is worth ${number(prices.core)}`] : []),
    ...(prices.memoryMiB > 0 ? [`one GiB more is worth ${number(1024 * prices.memoryMiB)}`] : []),
  ];
  const hopeless = servedShare < 1 ? [] : fleet.plans.flatMap((plan, i) => (plan.feasible ? [] : [names[i]]));
  return [
    ...plansOf(fleet.plans, names),
    `${together}: ${number(fleet.cores)} cores, ${number(fleet.memoryMiB / 1024)} GiB, objective ${fleet.objective.toPrecision(6)}, ${proofOf(fleet.gap)}`,
    ...(worth.length > 0 ? [worth.join(", ")] : []),
    ...hopeless.map(name => `${name}: no plan serves its load; its least bad plan counts as given, not as the best`),
    ...shortOf(servedShare),
  ].join("\n");
}

function proofOf(gap: number): string {
  return gap === 0 ? "proven best" : `at most ${number(gap)} below the best`;
}

function plansOf(plans: readonly Plan[], names: readonly string[]): string[] {
  return plans.flatMap((plan, i) => [`== ${names[i]}`, formatPlan(plan), ""]);
}

function shortOf(servedShare: number): string[] {
  return servedShare < 1 ? [`NOT ENOUGH for all: ${percent(servedShare)} of every load is planned for`] : [];
}
