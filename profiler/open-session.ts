import { openFile } from "./file-session.ts";
import type { ModelSession } from "./model-session.ts";
import type { ModelSource } from "./model-source.ts";
import { openServed } from "./remote-session.ts";

/** @throws failed_precondition when there is no such model, it is another one than the pipeline file says, or it can't be loaded. */
export function openSession(source: ModelSource): Promise<ModelSession> {
  return source.kind === "file" ? openFile(source) : openServed(source);
}
