import type { z } from "zod";

/** What a tool is told beside its input. */
export interface ToolCall {
  /** Aborted when the client no longer waits. */
  readonly signal: AbortSignal;
  /** What the client says that it is; empty: it did not say. */
  readonly clientName: string;
}

/** One tool, without the protocol. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  /** It changes something of a running scaler. */
  readonly changes: boolean;
  /** @throws VariscaleError where the input or the world is not as it must be. */
  readonly run: (input: never, call: ToolCall) => Promise<object>;
}

/** Ties the types of a tool's input and output to its schemas. */
export function defineTool<I extends z.ZodObject, O extends z.ZodObject>(
  tool: Omit<Tool, "input" | "output" | "run"> & {
    readonly input: I;
    readonly output: O;
    readonly run: (input: z.output<I>, call: ToolCall) => Promise<z.input<O>>;
  },
): Tool {
  return tool;
}
