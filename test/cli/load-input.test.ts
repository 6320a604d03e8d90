import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { TestFolder } from "../support/switcher-harness.ts";
import { runVariscale } from "./support/run-variscale.ts";

describe("a load that a command is given", function () {
  this.timeout(120_000);
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.delete());

  const forecast = (...args: string[]) => runVariscale(["forecast", "--horizon", "20", "--output", "json", ...args]);
  const file = (bytes: string | Buffer): string => {
    const path = join(folder.path, "load.csv");
    writeFileSync(path, bytes);
    return path;
  };

  it("may be of UTF-16, either way round, as of UTF-8", async () => {
    const text = `\ufeffrate\n${"5\n6\n7\n".repeat(20)}`;
    const little = Buffer.from(text, "utf16le");
    const answers = [];
    for (const bytes of [text, little, Buffer.from(little).swap16()]) {
      const { status, stdout, stderr } = await forecast("--csv", file(bytes));
      assert.equal(status, 0, stderr);
      answers.push(stdout);
    }
    assert.equal(new Set(answers).size, 1);
  });

  it("says that a first column without a heading is taken for times: it may be half of a number", async () => {
    const said = "there is no heading, so the first column is taken for times";
    assert.ok((await forecast("--csv", file("1,5\n2,5\n3,5\n"))).stderr.includes(said));
    assert.ok(!(await forecast("--csv", file("time,rps\n1,5\n2,5\n"))).stderr.includes(said));
    assert.ok(!(await forecast("--csv", file("5\n6\n"))).stderr.includes(said));
  });

  it("invents no dates: where there are none, times are counted from the first second", async () => {
    const plain = await forecast("--csv", file("5\n6\n7\n".repeat(20)));
    assert.equal(JSON.parse(plain.stdout).at, "t+60 s");
    assert.match(plain.stderr, /load\.csv: there are no times, so each line is taken for a second/);
    const counted = await forecast(
      "--csv",
      file(`t_s,rps\n${[100, 101, 102].map(second => `${second},5`).join("\n")}\n`),
    );
    assert.equal(JSON.parse(counted.stdout).at, "t+3 s");
    assert.doesNotMatch(counted.stderr, /there are no times/);
    const dated = await forecast("--csv", file("time,rps\n2026-01-31T12:00:00Z,5\n2026-01-31T12:00:01Z,5\n"));
    assert.equal(JSON.parse(dated.stdout).at, "2026-01-31T12:00:02.000Z");
    const backtest = (split: string) =>
      runVariscale([
        "backtest",
        "--csv",
        file("5\n6\n7\n".repeat(20)),
        "--horizon",
        "5",
        "--output",
        "json",
        "--split",
        split,
      ]);
    assert.equal(JSON.parse((await backtest("0.5")).stdout).split, "t+30 s");
    const refused = await backtest("2026-01-05");
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /--split 2026-01-05: the load has no dates: split it at a share as 0\.67/);
  });

  it("names the Prometheus that can't be reached, and what to look at", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise(resolve => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await new Promise(resolve => server.close(resolve));
    const { status, stderr } = await forecast("--prometheus", url, "--counter", "a");
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^variscale: --prometheus http:\/\/127\.0\.0\.1:\d+ can't be read: .*ECONNREFUSED.*Does it name a Prometheus/m,
    );
  });
});
