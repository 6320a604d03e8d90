// Public interfaces only: no private field, symbol or listener of Node or a package, and no flag of V8 set at run time.
import { isTest, walk } from "./files.mjs";

/** Members that a library declares private in its types, where JavaScript lets one read them. */
const KNOWN_PRIVATE_MEMBERS = new Set(["http2Servers", "useUserBuffer"]);
const BUILT_IN = new Set(
  "Array ArrayBuffer BigInt Boolean Date Error Float32Array Float64Array Function Map Number Object Promise RegExp Set String Symbol Uint8Array".split(
    " ",
  ),
);
const REACHING_FUNCTIONS = {
  setFlagsFromString: "sets a flag of V8 at run time: give it on the command line",
  runInNewContext: "reaches functions of V8 through a new context",
  getOwnPropertySymbols: "looks up symbols of a foreign object",
  ownKeys: "looks up symbols and private fields of a foreign object",
};
const CASTS = new Set(["TSAsExpression", "TSTypeAssertion"]);
/** Types over which anything can be cast to anything. */
const TYPES_BETWEEN = new Set(["TSUnknownKeyword", "TSAnyKeyword", "TSNeverKeyword"]);
const LISTENER_READERS = new Set(["listeners", "rawListeners"]);

/** The violations in files outside tests: `{ rule: "privateName", path, line, kind, count: 1, message }`. */
export function checkPrivateNames(files) {
  return files.filter(file => file.program && !isTest(file)).flatMap(checkFile);
}

function checkFile(file) {
  const foreign = foreignNames(file.program);
  const ownTypes = findOwnTypes(file.program);
  const violations = [];
  const add = (node, kind, message) =>
    violations.push({
      rule: "privateName",
      path: file.path,
      line: file.text.slice(0, node.start).split("\n").length,
      kind,
      count: 1,
      message,
    });
  walk(file.program, (node, parent) => {
    checkMember(node, parent, add);
    checkCall(node, add);
    checkImport(node, add);
    if (CASTS.has(node.type)) checkCast(node, { foreign, ownTypes }, add);
  });
  for (const { value, start } of file.comments)
    if (/@ts-(ignore|expect-error|nocheck)/.test(value))
      add({ start }, "silenced", "a comment that silences the compiler lets code reach what types do not show");
  return violations;
}

/** Fields that begin with `_` belong to those who wrote the object: ours are `#private`. */
function checkMember(node, parent, add) {
  if (node.type === "MemberExpression") {
    const name = memberName(node);
    if (name === null) return;
    checkReaching(node, name, add);
    if (isPrivateMember(name)) add(node, "field", `${name} is a private field of another's object`);
    if (name === "prototype" && node.object.type === "Identifier" && !BUILT_IN.has(node.object.name))
      add(node, "prototype", `${node.object.name}.prototype goes round the public method of an object`);
  }
  if (["Property", "TSPropertySignature"].includes(node.type) && node.key?.type === "Identifier" && !node.computed) {
    if (isPrivateMember(node.key.name)) add(node, "field", `${node.key.name} is a private field of another's object`);
    if (parent?.type === "ObjectPattern") checkReaching(node, node.key.name, add);
  }
}

/** A function that is read may be called later, under any name. */
function checkReaching(node, name, add) {
  if (Object.hasOwn(REACHING_FUNCTIONS, name)) add(node, name, `${name}() ${REACHING_FUNCTIONS[name]}`);
}

function checkCall(node, add) {
  if (node.type !== "CallExpression") return;
  const { callee } = node;
  const name =
    callee.type === "Identifier" ? callee.name : callee.type === "MemberExpression" ? memberName(callee) : null;
  if (name === null) return;
  if (callee.type !== "MemberExpression") return checkReaching(node, name, add);
  if (name === "for" && callee.object.type === "Identifier" && callee.object.name === "Symbol")
    add(node, "symbol", "Symbol.for() finds a symbol of others: members under it are private");
  if (LISTENER_READERS.has(name)) add(node, "listeners", `${name}() takes listeners that another has added`);
  if (name === "removeAllListeners" && callee.object.type !== "ThisExpression")
    add(node, "listeners", "removeAllListeners() takes away listeners that another has added: name your own in off()");
  if (name === "get" && callee.object.type === "Identifier" && callee.object.name === "Reflect") {
    const key = node.arguments[1]?.value;
    if (typeof key === "string" && isPrivateMember(key))
      add(node, "field", `${key} is a private field of another's object`);
  }
}

/** Under another name a function is the same, and one that is imported need not be called here. */
function checkImport(node, add) {
  if (node.type === "ImportSpecifier") checkReaching(node, node.imported.name, add);
}

/** A cast over `unknown` or `any` from or to a type of a package, or to a shape that is written down on the spot or elsewhere in the file. */
function checkCast(node, { foreign, ownTypes }, add) {
  const { typeAnnotation } = node;
  const expression = stripParentheses(node.expression);
  const isAny = typeAnnotation.type === "TSAnyKeyword";
  const isOverUnknown = CASTS.has(expression.type) && TYPES_BETWEEN.has(expression.typeAnnotation.type);
  if (!isAny && !isOverUnknown) return;
  const value = isOverUnknown ? stripParentheses(expression.expression) : expression;
  if (isAny || foreign.has(rootName(value)) || isForeignType(typeAnnotation, foreign, ownTypes))
    add(
      node,
      "cast",
      "a cast reaches members that the package's types do not show, or passes off a made-up object as the package's",
    );
}

function isForeignType(type, foreign, ownTypes) {
  let isForeign = type.type === "TSTypeLiteral";
  walk(type, node => {
    if (node.type !== "TSTypeReference") return;
    const name = rootName(node.typeName);
    if (name === "Record" || foreign.has(name) || ownTypes.has(name)) isForeign = true;
  });
  return isForeign;
}

/** Names that the file imports from Node or a package. */
function foreignNames(program) {
  const names = new Set();
  for (const node of program.body) {
    if (node.type !== "ImportDeclaration" || node.source.value.startsWith(".")) continue;
    for (const { local } of node.specifiers) names.add(local.name);
  }
  return names;
}

/** Names of the types that the file declares: shapes that nobody else checks. */
function findOwnTypes(program) {
  const names = new Set();
  walk(program, node => {
    if (["TSInterfaceDeclaration", "TSTypeAliasDeclaration"].includes(node.type)) names.add(node.id.name);
  });
  return names;
}

function isPrivateMember(name) {
  return /^_[a-zA-Z]/.test(name) || KNOWN_PRIVATE_MEMBERS.has(name);
}

function memberName({ computed, property }) {
  if (!computed) return property.type === "Identifier" ? property.name : null;
  if (property.type === "TemplateLiteral" && property.quasis.length === 1) return property.quasis[0].value.cooked;
  return property.type === "Literal" && typeof property.value === "string" ? property.value : null;
}

function stripParentheses(node) {
  return node.type === "ParenthesizedExpression" ? stripParentheses(node.expression) : node;
}

function rootName(node) {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression") return rootName(node.object);
  if (node.type === "TSQualifiedName") return rootName(node.left);
  if (["ParenthesizedExpression", "TSNonNullExpression", "AwaitExpression"].includes(node.type))
    return rootName(node.expression ?? node.argument);
  return null;
}
