// Rules of language: comments are sentences with a subject, functions are verbs, and words are those of the field.
import { basename, extname } from "node:path";
import { walk } from "./files.mjs";

/** A comment that begins so has no subject, or hides it. */
const NO_SUBJECT =
  /^(Of|What|Whatever|Who|Whom|Whoever|Whomever|Whose|Which|So|Such|Thus|Else|Anew|Beside|Where (it|he|she|they|there)|(Null|Undefined|True|False|Empty|None|Nothing):)(?=[\s,:]|$)/i;

const REGULAR_PARTICIPLE = /^[a-z]{2,}ed$/;
/** Verbs that end as a participle does. */
const VERBS_IN_ED = new Set(
  "bed bleed breed embed exceed feed heed kneed need plead proceed reed reseed seed shed shred sled speed succeed wed weed".split(
    " ",
  ),
);
const IRREGULAR_PARTICIPLES = new Set(
  `asking begun bought bound brought built caught chosen done drawn driven felt found given gone grown heard held kept known laid lasting left lent
   lost made meant met paid reached seen sent shown sold sought spent spoken stood taken taught thought thrown told torn understood unknown
   waiting woken won worn written`.split(/\s+/),
);
const PARTICLES = new Set(["Anew", "At", "By", "From", "Here", "In", "Now", "Of", "On", "Out", "To", "With"]);

/** Words of the project's private language, and the field's terms for them. */
const PRIVATE_WORDS = {
  anew: "again, reset, restart",
  believe: "accept, onLeaseRenewed",
  foresight: "service-time estimator",
  halving: "batch splitting",
  lasting: "intended variant",
  rota: "tick scheduler",
  strangers: "unknown switchers",
  vouch: "attest",
  waiters: "pending requests",
  whoever: "the client, the caller, each …",
  whomever: "the client, the caller, each …",
};
const PRIVATE_WORD = new RegExp(`\\b(${Object.keys(PRIVATE_WORDS).join("|")})\\b`, "gi");

/** The violations of the rules of language: `{ rule, path, line, count: 1, message }`. */
export function checkLanguage(files) {
  return files.filter(({ isSource }) => isSource).flatMap(file => [...checkComments(file), ...checkNames(file)]);
}

function* checkComments(file) {
  for (const { text, line } of readComments(file)) {
    const start = NO_SUBJECT.exec(text);
    if (start) {
      const message = `a comment begins with "${start[0]}": write a sentence with a subject that says why`;
      yield { rule: "commentStart", path: file.path, line, count: 1, message };
    }
    for (const [word] of text.matchAll(PRIVATE_WORD)) yield privateWord(file, line, word);
  }
}

function* checkNames(file) {
  const stem = basename(file.path, extname(file.path)).replace(/\.(test|bench|d)$/, "");
  for (const word of stem.split("-")) if (Object.hasOwn(PRIVATE_WORDS, word)) yield privateWord(file, 1, word);
  if (!file.program) return;
  const found = [];
  walk(file.program, (node, parent) => {
    const declared = declaredName(node, parent);
    if (declared === null) return;
    const { name, isFunction } = declared;
    const line = findLine(file.text, node.start);
    for (const word of splitWords(name))
      if (Object.hasOwn(PRIVATE_WORDS, word)) found.push(privateWord(file, line, word));
    const wrong = isFunction ? whyNoVerb(name) : null;
    if (wrong !== null) found.push({ rule: "functionName", path: file.path, line, count: 1, message: wrong });
  });
  yield* found;
}

/** Says why a function's name is not a verb; null where a simple check finds nothing wrong. */
function whyNoVerb(name) {
  if (isParticiple(name))
    return `the function ${name} is named by a participle: begin with a verb (findX, markX), or isX`;
  if (/[a-z]Of$/.test(name)) return `the function ${name} ends in "Of": begin with a verb (readX, countX, toX)`;
  return null;
}

function isParticiple(name) {
  const [, first, particle] = /^([a-z]+)([A-Z][a-z]+)?$/.exec(name) ?? [];
  if (first === undefined || (particle !== undefined && !PARTICLES.has(particle))) return false;
  if (IRREGULAR_PARTICIPLES.has(first)) return true;
  return REGULAR_PARTICIPLE.test(first) && !VERBS_IN_ED.has(first);
}

/** The name that a node declares, and whether it is a function's; null for any other node. */
function declaredName(node, parent) {
  if (node.type === "FunctionDeclaration" && node.id) return { name: node.id.name, isFunction: true };
  if (node.type === "VariableDeclarator" && node.id.type === "Identifier") {
    const isFunction = ["ArrowFunctionExpression", "FunctionExpression"].includes(node.init?.type);
    return { name: node.id.name, isFunction };
  }
  if (
    node.type === "MethodDefinition" &&
    ["Identifier", "PrivateIdentifier"].includes(node.key.type) &&
    !node.computed
  ) {
    // An accessor is read as a value, and a constructor is named by the language.
    const isFunction = node.kind === "method" && parent?.type === "ClassBody";
    return { name: node.key.name, isFunction };
  }
  if (node.type === "PropertyDefinition" && ["Identifier", "PrivateIdentifier"].includes(node.key.type))
    return { name: node.key.name, isFunction: false };
  if (["ClassDeclaration", "TSInterfaceDeclaration", "TSTypeAliasDeclaration"].includes(node.type) && node.id)
    return { name: node.id.name, isFunction: false };
  return null;
}

function* readComments(file) {
  if (file.comments) {
    let before = null;
    for (const { type, value, start, end } of file.comments) {
      // Lines that follow each other are one comment.
      const goesOn =
        type === "Line" && before?.type === "Line" && /^\n[ \t]*$/.test(file.text.slice(before.end, start));
      before = { type, end };
      const text = value.replace(/^[*\s]+/, "");
      yield { text: goesOn ? text.replace(NO_SUBJECT, "") : text, line: findLine(file.text, start) };
    }
    return;
  }
  const lines = file.text.split("\n");
  for (const [i, line] of lines.entries()) {
    const [, text] = /^\s*(?:#(?!!)|\/\/)\s*(.*)$/.exec(line) ?? [];
    if (text === undefined) continue;
    const goesOn = i > 0 && /^\s*(#(?!!)|\/\/)/.test(lines[i - 1]);
    yield { text: goesOn ? text.replace(NO_SUBJECT, "") : text, line: i + 1 };
  }
}

function privateWord(file, line, word) {
  const instead = PRIVATE_WORDS[word.toLowerCase()];
  const message = `"${word}" is a word of the project's own language: say ${instead}`;
  return { rule: "privateWord", path: file.path, line, count: 1, message };
}

function splitWords(name) {
  return name.split(/(?=[A-Z])|_/).map(word => word.toLowerCase());
}

function findLine(text, offset) {
  let line = 1;
  for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}
