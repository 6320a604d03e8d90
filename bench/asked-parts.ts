/** Parts of a suite that `--only` asks for, all without it, in the suite's order. Throws where it names one that the suite does not have. */
export function askedParts<P extends string>(only: readonly string[] | null, parts: readonly P[]): readonly P[] {
  if (only === null) return parts;
  if (parts.length === 0) throw new Error("--only: this suite has no parts");
  const unknown = only.find(name => !(parts as readonly string[]).includes(name));
  if (unknown !== undefined) throw new Error(`--only: one of ${parts.join(", ")}, not \`${unknown}\``);
  return parts.filter(part => only.includes(part));
}
