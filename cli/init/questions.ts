import { createInterface, type Interface } from "node:readline/promises";

export interface Answers {
  readonly name: string;
  readonly models: readonly string[];
  readonly urls: readonly string[];
  readonly sloMs: number;
}

export interface Asked {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Asks for what the command line did not say; an empty answer takes what is proposed. Null: Ctrl-C, or no more input. */
export async function askQuestions(
  { input, output }: Asked,
  proposed: { readonly name: string; readonly sloMs: number },
  isName: (text: string) => boolean,
): Promise<Answers | null> {
  const terminal = createInterface({ input, output });
  // A question that is open then is never answered.
  const ended = new Promise<null>(resolve => terminal.once("close", () => resolve(null)));
  return await Promise.race([ended, askAll(terminal, output, proposed, isName)]).finally(() => terminal.close());
}

async function askAll(
  terminal: Interface,
  output: NodeJS.WritableStream,
  proposed: { readonly name: string; readonly sloMs: number },
  isName: (text: string) => boolean,
): Promise<Answers> {
  const ask = async (question: string, fallback: string, isRight: (text: string) => boolean, rule: string) => {
    for (;;) {
      const answer =
        (await terminal.question(`${question}${fallback === "" ? "" : ` (${fallback})`}: `)).trim() || fallback;
      if (isRight(answer)) return answer;
      output.write(`${rule}\n`);
    }
  };
  const name = await ask("Name of the pipeline", proposed.name, isName, "lower-case letters, digits, `-` and `.`");
  const what = await ask(
    "ONNX files, or addresses of Open Inference Protocol servers, with commas",
    "",
    text => /[^,\s]/.test(text),
    "such as light.onnx,heavy.onnx or http://127.0.0.1:8000",
  );
  const slo = await ask(
    "Milliseconds within which a request should be answered",
    String(proposed.sloMs),
    text => Number(text) > 0 && Number(text) <= 1e7,
    "a number above 0",
  );
  const named = what
    .split(",")
    .map(part => part.trim())
    .filter(part => part !== "");
  const isUrl = (text: string): boolean => /^https?:\/\//.test(text);
  return {
    name,
    models: named.filter(text => !isUrl(text)),
    urls: named.filter(isUrl),
    sloMs: Number(slo),
  };
}
