import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { formatLogLine } from "../../runtime/logger.ts";
import { packageFolder } from "../../runtime/version.ts";

const LOGGER = JSON.stringify(join(packageFolder, "dist/runtime/logger.js"));

describe("createLogger()", function () {
  this.timeout(60_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-logger-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs a script that has a `logger`, with standard error as a file. */
  function run(script: string, stderr: string, ...flags: readonly string[]) {
    const file = openSync(stderr, "a");
    const text = `import { createLogger } from ${LOGGER}; const logger = createLogger("test", "info"); ${script}`;
    const args = [...flags, "--input-type=module", "--eval", text];
    const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", file] });
    closeSync(file);
    return status;
  }

  it("writes an object a line", () => {
    const log = join(folder, "log");
    assert.equal(run(`logger.warn({ pods: 2 }, "low");`, log), 0);
    const { level, process: name, pods, msg } = JSON.parse(readFileSync(log, "utf8"));
    assert.deepEqual({ level, name, pods, msg }, { level: "warn", name: "test", pods: 2, msg: "low" });
  });

  /** Runs a server that logs a thousand lines per request while `use` asks for them; each answer is the number of lines that were lost. */
  async function whileLogging(stderr: number, use: (ask: () => Promise<number>) => Promise<void>): Promise<void> {
    const text = `
      import { createServer } from "node:http";
      import { createLogger, lostLogLines } from ${LOGGER};
      const logger = createLogger("test", "info");
      const text = "x".repeat(900);
      let i = 0;
      const server = createServer((_, response) => {
        for (const end = i + 1000; i < end; ) logger.info({ i: i++, text }, "line");
        response.end(String(lostLogLines()));
      });
      server.listen(0, "127.0.0.1", () => process.send(server.address().port));
      process.on("disconnect", () => process.exit());`;
    const args = ["--input-type=module", "--eval", text];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", stderr, "ipc"] });
    const exited = once(child, "exit");
    closeSync(stderr);
    try {
      const [port] = await once(child, "message");
      await use(async () =>
        Number(await (await fetch(`http://127.0.0.1:${port}`, { signal: AbortSignal.timeout(20_000) })).text()),
      );
    } finally {
      child.disconnect();
      await exited;
    }
  }

  /** What a pipe gives up to line `i` and whatever comes with it; within 20 seconds. */
  async function readTo(i: number, read: number): Promise<string> {
    let log = "";
    const buffer = Buffer.alloc(65_536);
    for (const endMs = performance.now() + 20_000; !log.includes(`"i":${i},`) && performance.now() < endMs; ) {
      try {
        const length = readSync(read, buffer);
        log += buffer.toString("utf8", 0, length);
        if (length === 0) await sleep(20);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
        await sleep(20);
      }
    }
    return log;
  }

  it("never waits for who reads it, keeps the first lines, counts those that are lost, and goes on when it is read", async () => {
    const pipe = join(folder, "pipe");
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    const [written, read] = [openSync(pipe, "r+"), openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)];
    try {
      await whileLogging(written, async ask => {
        const answers = [await ask(), await ask(), await ask()];
        assert.equal(answers[0], 0);
        assert.ok(answers[1]! > 500 && answers[2] === answers[1]! + 1000, String(answers));
        const kept = 2000 - answers[1]!;
        const lines = (await readTo(kept - 1, read)).split("\n").slice(0, kept);
        assert.deepEqual(
          lines.map(line => JSON.parse(line).i),
          lines.map((_, i) => i),
        );
      });
    } finally {
      closeSync(read);
    }
  });

  it("counts what is lost once its reader is gone, and goes on when there is another one", async () => {
    const pipe = join(folder, "pipe");
    assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
    const openReader = () => openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const first = openReader();
    await whileLogging(openSync(pipe, "w"), async ask => {
      closeSync(first);
      const answers = [await ask(), await ask(), await ask()];
      assert.ok(answers[1]! > 500 && answers[2] === answers[1]! + 1000, String(answers));
      const read = openReader();
      try {
        const kept = 2000 - answers[1]!;
        assert.match(await readTo(kept - 1, read), new RegExp(`"i":${kept - 1},`));
        assert.equal(await ask(), answers[2]);
        assert.match(await readTo(3000, read), /"i":3000,/);
      } finally {
        closeSync(read);
      }
    });
  });

  it("ends although nobody reads it, and writes the last lines for who does", async () => {
    const ending = join(folder, "ending");
    const script = (lines: number): string => `
      import { writeFileSync } from "node:fs";
      process.on("exit", () => writeFileSync(${JSON.stringify(ending)}, ""));
      import { createLogger } from ${LOGGER};
      const logger = createLogger("test", "info");
      const text = "x".repeat(1000);
      for (let i = 0; i < ${lines}; i++) logger.info({ i, text }, "line");
      process.exit(7);`;
    const start = (lines: number) =>
      spawn(process.execPath, ["--input-type=module", "--eval", script(lines)], {
        stdio: ["ignore", "ignore", "pipe"],
        timeout: 20_000,
      });
    const unread = start(1000);
    assert.deepEqual(await once(unread, "exit"), [7, null]);
    unread.stderr?.destroy();
    rmSync(ending);
    const reading = start(900);
    while (!existsSync(ending)) await sleep(10);
    const [log] = await Promise.all([readText(reading.stderr!), once(reading, "exit")]);
    assert.equal(JSON.parse(log.trim().split("\n").at(-1) ?? "").i, 899);
  });

  it("lets a process go on where there is no room for its lines, and keeps few of them", function () {
    if (!existsSync("/dev/full")) return this.skip();
    const lines = `const text = "x".repeat(1000); for (let i = 0; i < 100_000; i++) logger.info({ i, text }, "line");`;
    assert.equal(run(lines, "/dev/full", "--max-old-space-size=40"), 0);
  });
});

describe("formatLogLine()", () => {
  const format = (line: object): string =>
    formatLogLine(`${JSON.stringify({ level: "info", time: "2026-11-30T10:20:30.123Z", process: "up", ...line })}\n`);

  it("has the time, the process, the message and short fields on one line", () => {
    assert.equal(
      format({ url: "http://127.0.0.1:8090", mode: "active", msg: "ready" }),
      "10:20:30 up: ready url=http://127.0.0.1:8090 mode=active\n",
    );
  });

  it("marks what is worse than info, and has an error's message without its stack", () => {
    const err = { type: "Error", message: "no room", stack: "Error: no room\n    at x" };
    assert.equal(format({ level: "warn", err, msg: "not saved" }), "10:20:30 WARN up: not saved (no room)\n");
  });

  it("leaves out objects, cuts long texts and lets no control character through", () => {
    const line = format({ plan: { stages: [] }, text: "x".repeat(500), msg: "decided\u001b[2J\nnext" });
    assert.equal(line, `10:20:30 up: decided [2J next text=${"x".repeat(120)}\n`);
  });

  it("gives back what is no line of the log", () => {
    assert.equal(formatLogLine("plain\n"), "plain\n");
  });
});
