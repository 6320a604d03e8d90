/**
 * A share of a stage: `replicas` replicas that serve `variant` with batches of at most `batch` rows. `share` is the part of
 * the stage's rows that they get. One part by default; several for traffic splits, whose shares sum to 1, and for ensembles, in which
 * every part gets all rows: shares of 1.
 */
export interface Part {
  readonly variant: string;
  readonly batch: number;
  readonly replicas: number;
  readonly share: number;
}

export interface StageConfiguration {
  readonly parts: readonly Part[];
}

/** One StageConfiguration per stage, by stage name. */
export type Configuration = Readonly<Record<string, StageConfiguration>>;

/** Whether its parts vote: several that all serve every row. */
export function doesVote({ parts }: StageConfiguration): boolean {
  return parts.length > 1 && parts.every(({ share }) => share === 1);
}

/** The variant that a stage serves, or those that vote joined by `+`, in the order of the parts: as the optimiser names them. */
export function servedName(configuration: StageConfiguration): string | null {
  if (doesVote(configuration)) return configuration.parts.map(({ variant }) => variant).join("+");
  return mainPart(configuration)?.variant ?? null;
}

/** The part with the largest share: what a stage that is not split serves. */
export function mainPart(configuration: StageConfiguration): Part | undefined {
  let main: Part | undefined;
  for (const part of configuration.parts) if (!main || part.share > main.share) main = part;
  return main;
}

/** What each stage serves (`servedName`), by stage. */
export function servedNames(configuration: Configuration): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(configuration).map(([stage, own]) => [stage, servedName(own) ?? ""]));
}

export function replicasOf(configuration: StageConfiguration): number {
  return configuration.parts.reduce((sum, part) => sum + part.replicas, 0);
}
