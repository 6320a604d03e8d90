import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { Replica } from "../../../cli/up/replica.ts";
import { ReplicaSet } from "../../../cli/up/replica-set.ts";
import { createLogger } from "../../../runtime/logger.ts";
import { ModelClaims } from "../../../variant-switcher/model-claims.ts";
import { FakeModelServer } from "../../support/fake-model-server.ts";
import { TestFolder, until } from "../../support/switcher-harness.ts";
import { isAlive } from "../support/processes.ts";
import { ENDS_AT_ONCE, rememberingLogger, switcherArgs } from "../support/replica-files.ts";

describe("Replica", () => {
  let folder: TestFolder;
  let replica: Replica;
  let log: ReturnType<typeof rememberingLogger>;
  /** The address at each change, and whether the process ran then. */
  let changes: { readonly address: string | null; readonly runs: boolean }[];

  beforeEach(() => {
    folder = new TestFolder();
    log = rememberingLogger();
    changes = [];
  });
  afterEach(async () => {
    await replica.stop();
    folder.delete();
  });

  const start = (timing: { readonly probeTimeoutMs?: number } = {}): void => {
    replica = new Replica({
      pod: "affine-1",
      args: () => switcherArgs(folder.path),
      logger: log.logger,
      claims: new ModelClaims(),
      onChange: () =>
        changes.push({ address: replica.address, runs: replica.pid !== undefined && isAlive(replica.pid) }),
      restartMs: 20,
      probeIntervalMs: 20,
      ...timing,
    });
  };

  it("has an address when it is ready, and none from the moment that it is stopped", async () => {
    start();
    assert.equal(replica.address, null);
    await until(() => replica.address !== null, "ready");
    assert.equal((await fetch(`http://${replica.address}/v2/health/ready`)).status, 200);
    const pid = replica.pid!;
    const stopped = replica.stop();
    assert.equal(replica.address, null);
    assert.equal(changes.length, 2);
    assert.deepEqual(changes[1], { address: null, runs: true });
    await stopped;
    assert.ok(!isAlive(pid));
  });

  it("is stopped while it starts", async () => {
    start();
    const pid = replica.pid!;
    await replica.stop();
    assert.ok(!isAlive(pid));
    assert.deepEqual(changes, []);
  });

  it("loses its address when its process is killed, and has one again when the next one is ready", async () => {
    start();
    await until(() => replica.address !== null, "ready");
    const pid = replica.pid!;
    process.kill(pid, "SIGKILL");
    await until(() => replica.address === null, "without address");
    await until(() => replica.address !== null, "ready again");
    assert.notEqual(replica.pid, pid);
    assert.equal(changes.length, 3);
    assert.deepEqual(changes[1], { address: null, runs: false });
  });

  it("ends a process that hangs, having taken it out of the endpoints, and starts another", async () => {
    start({ probeTimeoutMs: 100 });
    await until(() => replica.address !== null, "ready");
    const pid = replica.pid!;
    process.kill(pid, "SIGSTOP");
    await until(() => replica.address === null, "without address");
    assert.deepEqual(changes[1], { address: null, runs: true });
    await until(() => replica.address !== null, "ready again");
    assert.ok(!isAlive(pid));
    assert.ok(log.lines.some(line => line["msg"] === "replica does not answer; ending it"));
  });
});

describe("ReplicaSet", () => {
  let folder: TestFolder;
  let set: ReplicaSet;
  let args: (pod: string) => readonly string[];
  /** Endpoints at each change. */
  let endpoints: number[];
  let onChange: () => void;

  beforeEach(() => {
    folder = new TestFolder();
    args = pod => switcherArgs(folder.path, pod);
    endpoints = [];
    onChange = () => undefined;
    set = new ReplicaSet({
      stage: "affine",
      logger: createLogger("test", "silent"),
      claims: new ModelClaims(),
      argsOf: pod => args(pod),
      onChange: () => {
        endpoints.push(set.endpoints().length);
        onChange();
      },
    });
  });
  afterEach(async () => {
    await set.close();
    folder.delete();
  });

  it("takes the newest replica out of the endpoints before its process ends, when there are to be fewer", async () => {
    set.scale(2);
    const [first, second] = set.pids;
    await until(() => set.endpoints().length === 2, "ready");
    const [firstEndpoint] = set.endpoints();
    assert.equal(firstEndpoint?.pod, "affine-1");
    let ranStill = false;
    onChange = () => {
      ranStill = isAlive(second!);
    };
    set.scale(1);
    assert.deepEqual(set.endpoints(), [firstEndpoint]);
    assert.deepEqual(endpoints, [1, 2, 1]);
    assert.ok(ranStill);
    await until(() => !isAlive(second!), "ended");
    assert.ok(isAlive(first!));
  });

  it("ends all, those that are on their way out too, and starts none any more once it is closed", async () => {
    set.scale(3);
    const pids = [...set.pids];
    set.scale(1);
    await set.close();
    assert.deepEqual(pids.filter(isAlive), []);
    set.scale(2);
    assert.deepEqual(set.pids, []);
  });

  it("has no endpoint of replicas that end at once, and gives each its own name", async () => {
    const pods: string[] = [];
    args = pod => {
      pods.push(pod);
      return ENDS_AT_ONCE;
    };
    set.scale(2);
    await until(() => set.pids.length === 0, "ended");
    assert.deepEqual([set.endpoints(), pods], [[], ["affine-1", "affine-2"]]);
  });

  describe("of a model in another server", () => {
    let server: FakeModelServer;

    beforeEach(async () => {
      server = await FakeModelServer.start();
      const variants = [{ name: "far", driver: "remote", model: "x", url: server.url }];
      args = pod => switcherArgs(folder.path, pod, { variants, defaultVariant: "far", modelClaims: "parent" });
    });
    afterEach(() => server.close());
    const scaleTo = async (replicas: number): Promise<void> => {
      const before = set.pids;
      set.scale(replicas);
      await until(() => set.endpoints().length === replicas, `${replicas} are ready`);
      await until(() => before.slice(replicas).every(pid => !isAlive(pid)), "the others ended");
    };

    it("share it, and have it unloaded when the last of them has ended", async () => {
      await scaleTo(1);
      await scaleTo(3);
      await scaleTo(1);
      assert.deepEqual([server.loads, server.isLoaded, server.done.includes("unload")], [1, true, false]);
      await set.close();
      assert.deepEqual([server.loads, server.done.filter(what => what === "unload").length], [1, 1]);
    });

    it("leave it loaded that was so before, also where one of them had to load it again", async () => {
      server.isLoaded = true;
      await scaleTo(1);
      server.isLoaded = false;
      await scaleTo(2);
      assert.equal(server.loads, 1);
      await set.close();
      assert.deepEqual([server.isLoaded, server.done.includes("unload")], [true, false]);
    });

    it("have it unloaded when the only one was killed", async () => {
      await scaleTo(1);
      process.kill(set.pids[0]!, "SIGKILL");
      await until(() => server.done.includes("unload"), "unloaded");
      await until(() => server.loads === 2 && set.endpoints().length === 1, "loaded again");
    });
  });
});
