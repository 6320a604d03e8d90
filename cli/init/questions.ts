import { createInterface } from "node:readline/promises";

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

/** Asks for what the command line did not say; an empty answer takes what is proposed. */
export async function askQuestions(
  { input, output }: Asked,
  proposed: { readonly name: string; readonly sloMs: number },
  isName: (text: string) => boolean,
): Promise<Answers> {
  const terminal = createInterface({ input, output });
  const ask = async (question: string, fallback: string, isRight: (text: string) => boolean, rule: string) => {
    for (;;) {
      const answer =
        (await terminal.question(`${question}${fallback === "" ? "" : ` (${fallback})`}: `)).trim() || fallback;
      if (isRight(answer)) return answer;
      output.write(`${rule}\n`);
    }
  };
  try {
    const name = await ask("Name of the pipeline", proposed.name, isName, "lower-case letters, digits, `-` and `.`");
    const what = await ask(
      "ONNX files, or addresses of Open Inference Protocol servers, with commas",
      "",
      text => text !== "",
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
  } finally {
    terminal.close();
  }
}
