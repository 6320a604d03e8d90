import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { WORLD_SEED } from "../../../../pipelines/question-answering/evaluation.ts";
import { PIPELINE_FOLDER } from "../../../../pipelines/question-answering/folder.ts";
import { ask, type Manner } from "../../../../pipelines/question-answering/generator/ask.ts";
import { DRIFTED_KINDS, fill, makeWorld } from "../../../../pipelines/question-answering/generator/world.ts";
import { PASSAGE_WORDS } from "../../../../pipelines/question-answering/stages/token-rows.ts";
import { wordsOf } from "../../../../pipelines/question-answering/stages/words.ts";

const world = makeWorld(WORLD_SEED, "all");
const stored = async (file: string) => JSON.parse(await readFile(join(PIPELINE_FOLDER, "data", file), "utf8"));

describe("makeWorld()", () => {
  it("gives the same world for the same seed, and another for another", () => {
    assert.deepEqual(makeWorld(7, "all"), makeWorld(7, "all"));
    assert.notDeepEqual(makeWorld(7, "all").passages[0]?.text, makeWorld(8, "all").passages[0]?.text);
  });

  it("tells the committed passages", async () => {
    assert.deepEqual(
      world.passages.map(({ text }) => text),
      await stored("passages.json"),
    );
  });

  it("has passages that fit into their slots, with every slot of a template filled", () => {
    for (const { text } of world.passages) {
      assert.ok(wordsOf(text).length <= PASSAGE_WORDS, text);
      assert.doesNotMatch(text, /[{}]|undefined| {2}/);
    }
  });

  it("says where each answer stands: at whole words", () => {
    for (const { text, facts } of world.passages) {
      const words = wordsOf(text);
      assert.ok(facts.length >= 3, text);
      for (const { answer, at } of facts) {
        assert.equal(text.slice(at, at + answer.length), answer);
        assert.ok(words.some(({ start }) => start === at) && words.some(({ end }) => end === at + answer.length), text);
      }
    }
  });

  it("calls every subject by its full name in each of its passages, and has no name twice", () => {
    for (const { subject, text } of world.passages)
      assert.ok(text.toLowerCase().includes(subject.name.toLowerCase()), text);
    const subjects = new Set(world.passages.map(({ subject }) => subject));
    assert.equal(new Set([...subjects].map(({ name }) => name)).size, subjects.size);
    assert.equal(subjects.size, world.passages.length / 2);
  });

  it("leaves out for training what is only asked after drift", () => {
    const kinds = new Set(makeWorld(7, "asked in training").passages.map(({ subject }) => subject.kind));
    assert.deepEqual([...kinds], ["person", "town", "device"]);
    assert.deepEqual(DRIFTED_KINDS, ["ship", "plant"]);
  });
});

describe("fill()", () => {
  it("fills slots, begins sentences with a capital letter and says where the answer stands", () => {
    assert.deepEqual(fill("{S} met {o} in {a}.", { s: "she", o: "him", a: "May" }), {
      text: "She met him in May.",
      at: 15,
    });
    assert.equal(fill("Nothing.", {}).at, -1);
  });
});

describe("ask()", () => {
  it("asks the committed questions", async () => {
    const questions = await stored("questions.json");
    assert.equal(questions.length, 100);
    for (const [index, question] of questions.entries()) {
      const { text, label } = ask(world, index + 1);
      assert.deepEqual({ text, label }, question);
    }
  });

  it("asks for a fact of the passage that it names, and knows what is easily taken for it", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const { label, fact, rivals } = ask(world, seed);
      assert.ok(world.passages[label.passage]?.facts.includes(fact));
      assert.equal(label.answer, fact.answer);
      assert.ok(rivals.length >= 1 && !rivals.includes(label.passage));
    }
  });

  it("asks about drifted kinds only where the domain has drifted", () => {
    const kindsOf = (manner: Manner): string[] =>
      Array.from({ length: 300 }, (_, seed) => {
        const { label } = ask(world, seed, manner);
        return world.passages[label.passage]?.subject.kind ?? "";
      });
    assert.ok(kindsOf("domain").every(kind => DRIFTED_KINDS.includes(kind)));
    for (const manner of ["usual", "typos"] satisfies Manner[])
      assert.ok(kindsOf(manner).every(kind => !DRIFTED_KINDS.includes(kind)));
  });

  it("mistypes many words where typing has drifted, few otherwise, and never a first letter", () => {
    const known = new Set(
      world.passages
        .flatMap(({ text, facts }) => wordsOf(`${text} ${facts.flatMap(({ asks }) => asks).join(" ")}`))
        .map(({ text }) => text.toLowerCase()),
    );
    const shareOf = (manner: Manner): number => {
      let [unknown, all] = [0, 0];
      for (let seed = 0; seed < 500; seed++) {
        for (const { text } of wordsOf(ask(world, seed, manner).text)) {
          if (!/^\p{L}{3,}$/u.test(text)) continue;
          all++;
          if (!known.has(text.toLowerCase())) unknown++;
        }
      }
      return unknown / all;
    };
    const [usual, typos] = [shareOf("usual"), shareOf("typos")];
    assert.ok(typos > 0.2 && typos < 0.4, `${typos}`);
    assert.ok(typos > usual + 0.15, `${usual} ${typos}`);
  });
});
