import type { TensorContract } from "../../domain/tensor.ts";

/** A model as `variscale init` found it. */
export interface DescribedModel {
  /** That the user wants it to serve; null: not said. */
  readonly stage: string | null;
  /** For its variant: a name as pipeline files take it. */
  readonly name: string;
  readonly inputs: readonly TensorContract[];
  readonly outputs: readonly TensorContract[];
  readonly source: ModelFile | ServedModel;
}

export interface ModelFile {
  readonly kind: "file";
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Memory that its session took in this process, at least. */
  readonly sessionMiB: number;
}

export interface ServedModel {
  readonly kind: "served";
  /** Of the server, as the user named it. */
  readonly url: string;
  /** The server's name of it. */
  readonly model: string;
}

/** As pipeline files take names: lower-case letters, digits, `-` and `.`. */
export function nameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, "-")
    .slice(0, 63)
    .replace(/^[-.]+|[-.]+$/g, "");
  return name === "" ? "model" : name;
}
