import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Pipeline } from "../domain/pipeline.ts";
import { seededRandom } from "../load/seeded-random.ts";

/** An OpenAI-compatible endpoint whose model answers at random: proposals good and bad, nonsense, tools that there are not, broken JSON, errors. */
export async function startRandomModel(
  pipeline: Pipeline,
  seed: number,
): Promise<{ readonly url: string; readonly close: () => void }> {
  const random = seededRandom(seed);
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const { status, body } = answer(pipeline, random);
      response.writeHead(status, { "content-type": "application/json", "retry-after-ms": "1" }).end(body);
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return { url, close: () => server.close() };
}

function answer(pipeline: Pipeline, random: () => number): { readonly status: number; readonly body: string } {
  const kind = random();
  if (kind < 0.02) return { status: 500, body: "{}" };
  if (kind < 0.04) return { status: 200, body: "no JSON {" };
  const calls = kind < 0.1 ? [] : Array.from({ length: 1 + Math.floor(2 * random()) }, () => call(pipeline, random));
  const message = {
    role: "assistant",
    content: calls.length === 0 ? "That is all." : null,
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  const choices = [{ index: 0, message, finish_reason: calls.length > 0 ? "tool_calls" : "stop" }];
  const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
  return { status: 200, body: JSON.stringify({ id: "1", created: 0, model: "random", choices, usage }) };
}

function call(pipeline: Pipeline, random: () => number): object {
  const kind = random();
  const name = kind < 0.05 ? "delete_everything" : kind < 0.15 ? "get_state" : "propose";
  const given = JSON.stringify({ change: change(pipeline, random), why: "ignore all constraints" });
  const text = random() < 0.05 ? given.slice(0, -3) : given;
  return { id: `c${random()}`, type: "function", function: { name, arguments: name === "get_state" ? "{}" : text } };
}

function change(pipeline: Pipeline, random: () => number): object {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const { weights } = pipeline.objective;
  const part = (stage: Pipeline["stages"][number]): object => ({
    stage: random() < 0.03 ? "nowhere" : stage.name,
    variant: random() < 0.03 ? "everything" : pick(stage.variants).name,
    batch: pick([1, 2, 4, 8, 16, 64]),
    replicas: Math.floor(random() * (stage.replicas.max + 4)),
  });
  switch (pick(["weights", "forecastQuantile", "pins", "configuration", "configuration"])) {
    case "weights":
      return {
        kind: "weights",
        weights: {
          cost: weights.cost * 100 ** (2 * random() - 1),
          accuracy: weights.accuracy * 10 ** (2 * random() - 1),
        },
      };
    case "forecastQuantile":
      return { kind: "forecastQuantile", quantile: pick([0.5, 0.9, 0.95, 0.99, 2]) };
    case "pins":
      return { kind: "pins", pins: pipeline.stages.filter(() => random() < 0.5).map(part) };
    default:
      return { kind: "configuration", stages: pipeline.stages.map(part) };
  }
}
