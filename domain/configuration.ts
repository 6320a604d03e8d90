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

/** The part with the largest share: what a stage that is not split serves. */
export function mainPart(configuration: StageConfiguration): Part | undefined {
  let main: Part | undefined;
  for (const part of configuration.parts) if (!main || part.share > main.share) main = part;
  return main;
}

export function replicasOf(configuration: StageConfiguration): number {
  return configuration.parts.reduce((sum, part) => sum + part.replicas, 0);
}
