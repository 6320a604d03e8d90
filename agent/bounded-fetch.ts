/** Most of one answer of an endpoint. */
const MOST_BYTES = 1024 * 1024;

/** `fetch` that gives up on an answer of more than a megabyte, whatever its headers say. Redirects are errors: the key goes nowhere else. */
export async function boundedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const answer = await fetch(input, { ...init, redirect: "error" });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (answer.body) {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > MOST_BYTES) throw new TypeError(`the endpoint's answer has more than ${MOST_BYTES} bytes`);
      chunks.push(chunk);
    }
  }
  const hasNoBody = answer.status === 204 || answer.status === 304;
  const { status, statusText, headers } = answer;
  return new Response(hasNoBody ? null : Buffer.concat(chunks), { status, statusText, headers });
}
