// Tickets of a shop's customers, generated from a seed, with the team that each is for. What is wrong and with what decide together: no word
// does by itself, so that a network reads them better than a linear model.
const PROBLEMS = {
  money: ["refund", "charge", "invoice", "pay", "price"],
  broken: ["broken", "fails", "error", "crashes", "stuck"],
  lost: ["missing", "lost", "late", "disappeared", "gone"],
  change: ["change", "update", "cancel", "replace", "remove"],
};
const THINGS = {
  parcel: ["parcel", "package", "delivery", "shipment"],
  app: ["app", "website", "page", "login"],
  account: ["account", "password", "profile", "email"],
  device: ["camera", "phone", "tablet", "charger"],
};
export const TEAMS = ["accounting", "shipping", "support", "returns"];
/** The team by problem and thing. */
const TEAM_OF = {
  money: { parcel: "accounting", app: "accounting", account: "support", device: "returns" },
  broken: { parcel: "returns", app: "support", account: "support", device: "returns" },
  lost: { parcel: "shipping", app: "support", account: "accounting", device: "shipping" },
  change: { parcel: "shipping", app: "accounting", account: "support", device: "returns" },
};
const FILLERS = [
  "hello",
  "please",
  "i",
  "my",
  "the",
  "since",
  "yesterday",
  "again",
  "help",
  "with",
  "a",
  "it",
  "and",
  "thanks",
];

/** The same ones for the same seed: `{ text, team }`. */
export function tickets(count, seed) {
  const random = seeded(seed);
  const one = list => list[Math.floor(random() * list.length)];
  return Array.from({ length: count }, () => {
    const [problem, thing] = [one(Object.keys(PROBLEMS)), one(Object.keys(THINGS))];
    const words = [one(PROBLEMS[problem]), one(THINGS[thing]), ...Array.from({ length: 6 }, () => one(FILLERS))];
    const shuffled = words.map(word => [random(), mistyped(word, random)]).toSorted(([a], [b]) => a - b);
    return { text: shuffled.map(([, word]) => word).join(" "), team: TEAM_OF[problem][thing] };
  });
}

/** One word in fifty has two letters the wrong way round. */
function mistyped(word, random) {
  if (word.length < 3 || random() > 0.02) return word;
  const at = Math.floor(random() * (word.length - 1));
  return word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2);
}

/** mulberry32: numbers of [0, 1) that a seed decides. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
