import { Help, type Option } from "commander";

const plain = new Help();

/** How help tells of an option: defaults as they would be written, and none that is nothing, or that the text tells already. */
export function optionText(option: Option): string {
  const shown = Object.assign(Object.create(Object.getPrototypeOf(option)) as Option, option);
  const { defaultValue, description, flags } = option;
  const isNothing = defaultValue === false || defaultValue === "" || (Array.isArray(defaultValue) && !defaultValue[0]);
  if (isNothing || /\bdefault: /.test(description)) shown.defaultValue = undefined;
  else if (Array.isArray(defaultValue)) shown.defaultValueDescription = defaultValue.join(",");
  else if (typeof defaultValue === "number" && flags.includes("<time>"))
    shown.defaultValueDescription = durationText(defaultValue);
  return plain.optionDescription(shown);
}

/** As it is written on the command line: `90s`, `15m`, `36h`, `14d`. */
function durationText(seconds: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const;
  const [unit, length] = units.find(([, long]) => seconds >= long && seconds % long === 0) ?? ["s", 1];
  return `${seconds / length}${unit}`;
}
