#!/usr/bin/env node
// The HEALTHCHECK of the images: asks VARISCALE_HEALTH_URL, ends with 0 for an answer of 2xx and with 1 otherwise, and says why on
// standard output, where the engine keeps it.
const { VARISCALE_HEALTH_URL: url = "" } = process.env;
const ANSWER_WITHIN_MS = 4000;

try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  const body = (await answer.text()).slice(0, 500);
  process.stdout.write(`${url}: ${answer.status} ${body}\n`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  const hint = url === "" ? "VARISCALE_HEALTH_URL is not set" : (error.cause?.message ?? error.message);
  process.stdout.write(`${url}: ${hint}\n`);
  process.exitCode = 1;
}
