import { stringify } from "yaml";

/** Objects as `kubectl apply -f -` takes them. */
export function yamlOf(objects: readonly object[]): string {
  return objects.map(object => `---\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`).join("");
}
