import { VariscaleError } from "../../domain/errors.ts";
import type { Datatype, TensorContract } from "../../domain/tensor.ts";

/**
 * A tensor's contract from a shape whose free dimensions have names, or -1.
 *
 * @throws VariscaleError invalid_argument where there is no free first dimension, for the batch.
 */
export function contractOf(
  where: string,
  name: string,
  datatype: Datatype,
  given: readonly (number | string)[],
): TensorContract {
  const shape = given.map(dimension => (typeof dimension === "number" && dimension > 0 ? dimension : -1));
  if (shape.length > 0 && shape[0] === -1) return { name, datatype, shape };
  const is = shape.length === 0 ? "there is none" : `it is ${shape[0]}`;
  throw new VariscaleError(
    "invalid_argument",
    `${where}: the first dimension is the batch and must be free, and ${is}. Export the model with a dynamic first dimension.`,
  );
}
