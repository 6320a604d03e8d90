import type { AgentLimits } from "./limits.ts";
import { FIRST_MESSAGE, systemPrompt } from "./prompt.ts";
import { bounded, MOST_TEXT, withoutKey } from "./quoted.ts";
import type { AgentSession } from "./session.ts";
import { TOOLS, type ToolName } from "./tools.ts";

export interface EndpointOptions {
  /** Base of an OpenAI-compatible API, as http://127.0.0.1:11434/v1. */
  readonly endpoint: string;
  readonly model: string;
  /** Sent as a bearer token, and nowhere else; null: none is sent. */
  readonly key: string | null;
}

export interface LoopOptions extends EndpointOptions {
  /** Asks the endpoint; it must bound answers and follow no redirect, as the key is for this endpoint alone. */
  readonly fetch: typeof globalThis.fetch;
  readonly mode: "advise" | "act";
  readonly limits: AgentLimits;
  /** Of the session's budget. */
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

/** Tries again after 429, 500 and the like so often. */
const RETRIES = 2;
/** Of one answer of the model. */
const MOST_OUTPUT_TOKENS = 4096;
/** A token has about so many characters, where an endpoint does not count. */
const CHARACTERS_PER_TOKEN = 4;

/**
 * Lets a model use a session's tools until it is done or the budget is. Returns why it ended; never throws: an endpoint that fails ends it.
 */
export async function runModel(session: AgentSession, options: LoopOptions): Promise<string> {
  const [{ generateText, jsonSchema, tool }, { createOpenAICompatible }, { z }] = await Promise.all([
    import("ai"),
    import("@ai-sdk/openai-compatible"),
    import("zod"),
  ]);
  const provider = createOpenAICompatible({
    name: "endpoint",
    baseURL: options.endpoint,
    fetch: options.fetch,
    ...(options.key !== null && { apiKey: options.key }),
  });
  // Inputs are checked by the session, which tells the model what is wrong with them.
  const tools = Object.fromEntries(
    (Object.keys(TOOLS) as ToolName[]).map(name => {
      const { description, input } = TOOLS[name];
      const { $schema: _, ...schema } = z.toJSONSchema(input, { io: "input" });
      const execute = (given: unknown): Promise<unknown> => session.call(name, given);
      return [name, tool({ description, inputSchema: jsonSchema<unknown>(schema as object), execute })];
    }),
  );
  const timeout = AbortSignal.timeout(Math.max(1, Math.round(1000 * (options.seconds - session.spent.seconds))));
  try {
    const { finishReason } = await generateText({
      model: provider.chatModel(options.model),
      system: systemPrompt(options.mode, options.limits),
      prompt: FIRST_MESSAGE,
      tools,
      maxRetries: RETRIES,
      maxOutputTokens: MOST_OUTPUT_TOKENS,
      abortSignal: options.signal ? AbortSignal.any([timeout, options.signal]) : timeout,
      stopWhen: () => session.overspent !== null,
      onStepFinish: step => {
        const called = JSON.stringify(step.toolCalls.map(({ toolName, input }) => [toolName, input]));
        const estimated = Math.ceil((step.text.length + called.length) / CHARACTERS_PER_TOKEN);
        session.said(step.text, step.usage.totalTokens ?? estimated);
        for (const call of step.toolCalls)
          if (call.dynamic && call.invalid) session.refuse(call.toolName, errorText(call.error, options.key));
      },
    });
    const spent = session.overspent;
    if (spent !== null) return `the budget of ${spent} is used up`;
    return finishReason === "stop" ? "the model was done" : `the model ended with ${finishReason}`;
  } catch (error) {
    if (timeout.aborted) return "the budget of seconds is used up";
    if (options.signal?.aborted) return "it was ended";
    return `the endpoint failed: ${errorText(error, options.key)}`;
  }
}

/** Of whatever was thrown: short, one line, without the key. */
function errorText(error: unknown, key: string | null): string {
  const text = error instanceof Error ? error.message : String(error);
  return bounded(withoutKey(text, key), MOST_TEXT);
}
