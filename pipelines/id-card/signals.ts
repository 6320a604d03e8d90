import { logOdds } from "../../domain/log-odds.ts";
import { FIELDS } from "./card.ts";
import type { CardContext } from "./context.ts";
import { assembleFields } from "./stages/field-assembly.ts";

/** How sure the stages are of a card, and how much of it they found. */
export function signals({ regions, lines }: CardContext): Readonly<Record<string, number>> {
  const fields = assembleFields(lines);
  const sureness = lines.map(({ confidence }) => confidence);
  return {
    lines: lines.length,
    fields: FIELDS.filter(field => fields[field] !== null).length,
    leastRegion: logOdds(Math.min(1, ...regions.map(({ score }) => score))),
    leastLine: logOdds(Math.min(1, ...sureness)),
    allLines: sureness.reduce((sum, confidence) => sum + Math.log(Math.max(1e-4, confidence)), 0),
  };
}
