/**
 * Puts an entry behind all others of a map, and takes out the first one where there are more than `most`: a collection that is keyed by what peers
 * say keeps what was set last.
 */
export function setNewest<K, V>(entries: Map<K, V>, key: K, value: V, most: number): void {
  entries.delete(key);
  entries.set(key, value);
  const [oldest] = entries.size > most ? entries.keys() : [];
  if (oldest !== undefined) entries.delete(oldest);
}
