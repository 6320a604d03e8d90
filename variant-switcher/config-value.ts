import { VariscaleError } from "../domain/errors.ts";

/** A value of a configuration or another JSON document and where it stands, so that every complaint can name the place, the value and the rule. */
export class ConfigValue {
  readonly path: string;
  readonly #value: unknown;
  readonly #subject: string;

  /** `subject`: what the document is, for the message. */
  constructor(value: unknown, path: string, subject: string) {
    this.#value = value;
    this.path = path;
    this.#subject = subject;
  }

  get isAbsent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  text(rule = "must be text", pattern = /^[^\0]+$/): string {
    if (typeof this.#value !== "string" || !pattern.test(this.#value)) return this.refuse(rule);
    return this.#value;
  }

  number(min: number, max: number): number {
    if (typeof this.#value !== "number" || !(this.#value >= min && this.#value <= max))
      return this.refuse(`must be a number from ${min} to ${max}`);
    return this.#value;
  }

  integer(min: number, max: number): number {
    if (!Number.isInteger(this.number(min, max))) this.refuse("must be a whole number");
    return this.#value as number;
  }

  oneOf<const T extends string | boolean>(values: readonly T[]): T {
    const found = values.find(value => value === this.#value);
    return found ?? this.refuse(`must be one of ${values.join(", ")}`);
  }

  list<T>(parse: (item: ConfigValue) => T, min: number, max: number): readonly T[] {
    if (!Array.isArray(this.#value) || this.#value.length < min || this.#value.length > max)
      return this.refuse(`must be a list of ${min} to ${max} items`);
    return this.#value.map((item, i) => parse(new ConfigValue(item, `${this.path}[${i}]`, this.#subject)));
  }

  /** Gives the members by name; unknown ones are refused. */
  object<const K extends string>(names: readonly K[]): Readonly<Record<K, ConfigValue>> {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return this.refuse("must be an object");
    for (const name of Object.keys(value))
      if (!names.some(known => known === name))
        this.#member(value, name).refuse(`is not known here; known are ${names.join(", ")}`);
    return Object.fromEntries(names.map(name => [name, this.#member(value, name)])) as Record<K, ConfigValue>;
  }

  optional<T, D>(parse: (value: ConfigValue) => T, absent: D): T | D {
    return this.isAbsent ? absent : parse(this);
  }

  refuse(rule: string): never {
    const shown = this.isAbsent ? "is missing" : `is ${describe(this.#value)}`;
    throw new VariscaleError("invalid_argument", `${this.#subject}: ${this.path || "it"} ${shown}; it ${rule}.`);
  }

  #member(object: object, name: string): ConfigValue {
    const value = Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
    return new ConfigValue(value, this.path === "" ? name : `${this.path}.${name}`, this.#subject);
  }
}

/** The beginning of a value as JSON. Lists and objects in each other are read by JSON.parse() deeper than they can be written. */
function describe(value: unknown): string {
  try {
    return String(JSON.stringify(value)).slice(0, 80);
  } catch {
    return "too deep to be shown";
  }
}
