const WEIGHTS = [7, 3, 1];

/**
 * The check digit of a document number (ICAO Doc 9303, part 3): the values of its characters, digits as they are and A = 10 to
 * Z = 35, times 7, 3, 1, 7, 3, 1, …, summed up modulo 10.
 *
 * @param text capitals and digits alone.
 */
export function checkDigit(text: string): string {
  const sum = [...text].reduce(
    (total, character, i) => total + Number.parseInt(character, 36) * (WEIGHTS[i % 3] ?? 0),
    0,
  );
  return String(sum % 10);
}
