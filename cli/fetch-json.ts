export interface JsonRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; null: nothing is. */
  readonly body: object | null;
  readonly timeoutMs: number;
  /** A longer answer is refused. */
  readonly mostBytes: number;
}

/**
 * Status and JSON of an answer; undefined: it is no JSON. Redirects are not followed: what is sent is for this address alone.
 *
 * @throws Error where there is no whole answer.
 */
export async function fetchJson(
  url: string,
  { method, headers, body, timeoutMs, mostBytes }: JsonRequest,
): Promise<{ readonly status: number; readonly answer: unknown }> {
  try {
    const answer = await fetch(url, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
      headers: { ...headers, ...(body !== null && { "content-type": "application/json" }) },
      ...(body !== null && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, answer: jsonOf(await readText(answer, mostBytes)) };
  } catch (error) {
    throw new Error(causeOf(error), { cause: error });
  }
}

async function readText(answer: Response, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new Error(`the answer is longer than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fetch failed` says nothing; what it failed of does. */
function causeOf(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause;
  return inner instanceof Error && inner.message !== "" ? inner.message : message;
}
