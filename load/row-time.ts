/** Numbers below are seconds since some start, above it since 1970. */
const LEAST_EPOCH_SECONDS = 1e8;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?$/;
const DATE =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$/i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Milliseconds of one unit, by what a column is called. */
function unitMs(name: string | null): number | null {
  if (name === null) return null;
  if (/(?:^|[_ (])(?:ms|millis\w*)\)?$/i.test(name)) return 1;
  if (/^hours?\b|(?:^|[_ (])h(?:ours?)?\)?$/i.test(name)) return 3_600_000;
  if (/^min(?:ute)?s?(?![a-z])|(?:^|[_ (])min(?:ute)?s?\)?$/i.test(name)) return 60_000;
  return /^sec(?:ond)?s?(?![a-z])|(?:^|[_ (])s(?:ec(?:ond)?s?)?\)?$/i.test(name) ? 1000 : null;
}

/**
 * A time in ms: a date of ISO 8601 (UTC where no zone is written), a time of day, or a number in the unit of the column's name
 * (`t_s`, `minute`, `time_ms`); without one in seconds, or by their size in seconds, ms, µs or ns since 1970. NaN: it is none of these.
 */
export function rowTimeMs(text: string, columnName: string | null): number {
  if (NUMBER.test(text)) return numberMs(Number(text), unitMs(columnName));
  const clock = CLOCK.exec(text);
  if (clock !== null) return ofDayMs(clock[1], clock[2], clock[3]);
  const date = DATE.exec(text);
  if (date === null) return Number.NaN;
  const [, year, month, day, hours, minutes, seconds, zone] = date;
  const [monthNumber, dayNumber] = [Number(month), Number(day)];
  const dayMs = Date.UTC(Number(year), monthNumber - 1, dayNumber);
  if (new Date(dayMs).getUTCMonth() !== monthNumber - 1 || new Date(dayMs).getUTCDate() !== dayNumber)
    return Number.NaN;
  return dayMs + ofDayMs(hours ?? "0", minutes ?? "0", seconds) - zoneMs(zone);
}

function ofDayMs(hours: string | undefined, minutes: string | undefined, seconds: string | undefined): number {
  const [h, m, s] = [Number(hours), Number(minutes), Number(seconds ?? 0)];
  return h < 25 && m < 60 && s < 61 ? Math.round((h * 3600 + m * 60 + s) * 1e6) / 1000 : Number.NaN;
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || /^(?:z|utc)$/i.test(zone)) return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith("-") ? -1 : 1) * minutes * 60_000;
}

function numberMs(value: number, unit: number | null): number {
  const size = Math.abs(value);
  if (size < LEAST_EPOCH_SECONDS) return value * (unit ?? 1000);
  for (const [belowSize, ms] of [
    [1e11, 1000],
    [1e14, 1],
    [1e17, 1e-3],
    [1e20, 1e-6],
  ] as const)
    if (size < belowSize) return value * ms;
  return Number.NaN;
}
