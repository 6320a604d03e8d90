/** Sessions of a variant that may be lost within the window before it is quarantined. */
const MAX_LOSSES = 5;
const LOSS_WINDOW_MS = 60_000;

/** When sessions of each variant were lost. */
export class Losses {
  readonly #lostAtMs = new Map<string, number[]>();

  /** One more. `isOnProbation`: it is one too many, however long ago those before it were. Gives how many there are where they are too many, else 0. */
  tooMany(variant: string, isOnProbation: boolean, nowMs: number): number {
    const sinceMs = isOnProbation ? 0 : nowMs - LOSS_WINDOW_MS;
    const losses = (this.#lostAtMs.get(variant) ?? []).filter(atMs => atMs > sinceMs);
    losses.push(nowMs);
    this.#lostAtMs.set(variant, losses);
    return losses.length >= MAX_LOSSES ? losses.length : 0;
  }
}
