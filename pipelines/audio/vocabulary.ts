/** What can be switched, what can be done with it, and by how much. */
export const DEVICES = ["light", "lamp", "door", "blind", "heat", "fan"] as const;
export const ACTIONS = ["on", "off", "up", "down", "open", "close", "start", "stop"] as const;
export const NUMBERS = ["one", "two", "three", "four", "five", "six"] as const;

/** Every word that is recognised, in the order of the recognisers' classes; the class after the last one is that of no word. */
export const WORDS = [...DEVICES, ...ACTIONS, ...NUMBERS] as const;

export type Word = (typeof WORDS)[number];

/** Classes of a recogniser: the words, and no word. */
export const CLASS_COUNT = WORDS.length + 1;

/** A command is a device and an action; `up` and `down` may be followed by a number. */
export function isCommand(words: readonly Word[]): boolean {
  const [device, action, number] = words;
  if (!isOneOf(DEVICES, device) || !isOneOf(ACTIONS, action)) return false;
  return words.length === 2 || (words.length === 3 && takesNumber(action) && isOneOf(NUMBERS, number));
}

/** Whether a number may follow. */
export function takesNumber(action: Word | undefined): boolean {
  return action === "up" || action === "down";
}

function isOneOf(words: readonly Word[], word: Word | undefined): boolean {
  return word !== undefined && words.includes(word);
}
