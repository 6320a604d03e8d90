/** With four digits at most, without a trailing zero. */
export function number(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** A share as `93.1 %`; a dash where there is none. */
export function percent(value: number): string {
  return Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)} %`;
}

export function signed(value: number): string {
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(value))}`;
}

/** A difference of shares, as `+1.5 points`. */
export function points(share: number): string {
  return `${signed(100 * share)} points`;
}

/** Rows for each request, or for each row of the upstream stage: as planned for, and as seen where that is more than a tenth off. */
export function fanOutText(fanOut: { readonly seen: number | null; readonly planned: number } | null): string {
  if (fanOut === null) return "–";
  const { seen, planned } = fanOut;
  const isOff = seen !== null && Math.abs(seen - planned) > 0.1 * planned;
  return isOff ? `${number(planned)} (${number(seen)} seen)` : number(planned);
}

interface LadderFigures {
  readonly ladder: {
    readonly top: string;
    readonly floor: string;
    readonly rungs: readonly { readonly variant: string; readonly maxBatch: number }[];
    readonly shadow: boolean;
  };
  readonly rowShares: readonly { readonly variant: string; readonly share: number }[];
  readonly shadowShares: readonly { readonly variant: string; readonly share: number }[];
}

/** The variants that replicas may serve, and the shares of the rows of late: as `heavy (top) 4 rows a batch, 70 %; light (floor) 16 rows a batch, 30 %`. */
export function ladderText({ ladder, rowShares, shadowShares }: LadderFigures): string {
  const { top, floor, rungs, shadow } = ladder;
  const topAt = rungs.findIndex(({ variant }) => variant === top);
  const shares = shadow ? shadowShares : rowShares;
  const texts = rungs.map(({ variant, maxBatch }, at) => {
    const names = [...(variant === top ? ["top"] : []), ...(variant === floor ? ["floor"] : [])];
    const place = names.length > 0 ? ` (${names.join(" and ")})` : at < topAt ? " (above the top)" : "";
    const share = shares.find(other => other.variant === variant)?.share;
    const batch = `${maxBatch} ${maxBatch === 1 ? "row" : "rows"} a batch`;
    return `${variant}${place} ${batch}${share === undefined ? "" : `, ${Math.round(100 * share)} %`}`;
  });
  return `${shadow ? "in shadow, would serve: " : ""}${texts.join("; ")}`;
}

/** The variants that served the rows of late, as `heavy 70 %, light 30 %` of them. */
export function rowSharesText(shares: readonly { readonly variant: string; readonly share: number }[]): string {
  return shares.map(({ variant, share }) => `${variant} ${Math.round(100 * share)} %`).join(", ");
}
