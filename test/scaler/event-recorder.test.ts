import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { EventRecorder, type ScaledObjectEvent } from "../../scaler/event-recorder.ts";
import { KubernetesApi, refuse } from "../support/kubernetes-api.ts";
import { ManualClock, until } from "./support/manual-clock.ts";

const EVENTS = "/apis/events.k8s.io/v1/events";

function event(change: Partial<ScaledObjectEvent> = {}): ScaledObjectEvent {
  const scaledObject = { namespace: "shop", name: "detect" };
  return { scaledObject, type: "Warning", reason: "VariscaleUnknownStage", note: "no stage", ...change };
}

describe("EventRecorder", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let clock: ManualClock;
  let recorder: EventRecorder;
  let problems: (string | null)[];

  beforeEach(async () => {
    api = await KubernetesApi.start();
    api.collections.add(EVENTS);
    client = new KubernetesClient(api.config());
    clock = new ManualClock();
    problems = [];
    const onWrite = (_namespace: string, problem: string | null) => problems.push(problem);
    recorder = new EventRecorder({ client, instance: "scaler-0", nowMs: () => clock.nowMs(), onWrite });
  });

  afterEach(async () => {
    recorder.close();
    client.close();
    await api.close();
  });

  const writes = (): number => api.seen.filter(request => request.method !== "GET").length;

  it("writes one Event for what is told again and again, and its count every five minutes", async () => {
    for (let i = 0; i < 50; i++) recorder.tell(event());
    await until(() => problems.length === 1, "the write");
    clock.set(clock.nowMs() + 301_000);
    recorder.tell(event());
    recorder.tell(event());
    await until(() => problems.length === 2, "the second write");
    assert.equal(writes(), 2);
    const [written] = api.all(EVENTS);
    assert.equal(api.all(EVENTS).length, 1);
    assert.equal((written?.["series"] as { count: number } | undefined)?.count, 51);
    assert.match(String(written?.["eventTime"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(written?.["reportingController"], "variscale.dev/scaler");
  });

  it("writes what is told once no second time, and tries again until it is written", async () => {
    api.intercept = (request, response) => request.method === "POST" && refuse(response, 403, "Forbidden", "no");
    const once = event({ isOnce: true });
    recorder.tell(once);
    await until(() => problems.length === 1, "the refusal");
    api.intercept = () => false;
    clock.set(clock.nowMs() + 61_000);
    recorder.tell(once);
    await until(() => problems.length === 2, "the write");
    const before = writes();
    clock.set(clock.nowMs() + 3_600_000);
    recorder.tell(once);
    recorder.tell(event({ isOnce: true, note: "another" }));
    await until(() => problems.length === 3, "the write of the other");
    assert.deepEqual([writes(), api.all(EVENTS).length, problems[2]], [before + 1, 2, null]);
  });

  it("takes those of one key for the same whatever their notes, and has the newest where it is written anew", async () => {
    recorder.tell(event({ key: "k", note: "1 of 2" }));
    await until(() => problems.length === 1, "the write");
    recorder.tell(event({ key: "k", note: "2 of 2" }));
    clock.set(clock.nowMs() + 301_000);
    recorder.tell(event({ key: "k", note: "3 of 3" }));
    await until(() => problems.length === 2, "its count");
    const [written, more] = api.all(EVENTS);
    assert.deepEqual([written?.["note"], (written?.["series"] as { count: number } | undefined)?.count], ["1 of 2", 3]);
    assert.equal(more, undefined);
    api.remove(EVENTS, "shop", written?.metadata.name ?? "");
    clock.set(clock.nowMs() + 301_000);
    recorder.tell(event({ key: "k", note: "4 of 4" }));
    await until(() => problems.length === 3, "the write of the newest");
    assert.deepEqual(
      api.all(EVENTS).map(({ note }) => note),
      ["4 of 4"],
    );
  });

  it("counts up the Event of another process that tells the same, and writes one of an object that was made anew", async () => {
    const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
    const put = (uid: string) => api.put(SCALED_OBJECTS, { metadata: { namespace: "shop", name: "detect", uid } });
    put("u-1");
    recorder.tell(event());
    await until(() => problems.length === 1, "the write");
    const onWrite = (_namespace: string, problem: string | null) => problems.push(problem);
    const other = new EventRecorder({ client, instance: "scaler-1", nowMs: () => clock.nowMs(), onWrite });
    other.tell(event());
    await until(() => problems.length === 2, "the write of the other");
    const [written, more] = api.all(EVENTS);
    assert.equal(more, undefined);
    assert.equal(written?.["reportingInstance"], "scaler-0");
    assert.equal((written?.["series"] as { count: number } | undefined)?.count, 2);
    clock.set(clock.nowMs() + 301_000);
    other.tell(event());
    await until(() => problems.length === 3, "the repetition");
    assert.equal((api.all(EVENTS)[0]?.["series"] as { count: number } | undefined)?.count, 3);
    other.close();
    put("u-2");
    const later = new EventRecorder({ client, instance: "scaler-2", nowMs: () => clock.nowMs(), onWrite });
    later.tell(event());
    await until(() => problems.length === 4, "the write about the new object");
    later.close();
    assert.equal(api.all(EVENTS).length, 2);
    assert.deepEqual(problems, [null, null, null, null]);
  });

  it("never counts down what another process has counted, as after a change of leader", async () => {
    const countOf = () => (api.all(EVENTS)[0]?.["series"] as { count: number } | undefined)?.count;
    for (let i = 0; i < 50; i++) recorder.tell(event());
    await until(() => problems.length === 1, "the write");
    clock.set(clock.nowMs() + 301_000);
    recorder.tell(event());
    await until(() => problems.length === 2, "its count");
    assert.equal(countOf(), 51);
    const onWrite = (_namespace: string, problem: string | null) => problems.push(problem);
    const other = new EventRecorder({ client, instance: "scaler-1", nowMs: () => clock.nowMs(), onWrite });
    for (const [writes, counted] of [
      [3, 52],
      [4, 53],
    ]) {
      other.tell(event());
      await until(() => problems.length === writes, "the write of the other");
      assert.equal(countOf(), counted);
      clock.set(clock.nowMs() + 301_000);
    }
    other.close();
    assert.deepEqual(problems, [null, null, null, null]);
  });

  it("writes it anew when the API server has forgotten it", async () => {
    recorder.tell(event());
    await until(() => problems.length === 1, "the write");
    const name = api.all(EVENTS)[0]?.metadata.name ?? "";
    api.remove(EVENTS, "shop", name);
    clock.set(clock.nowMs() + 301_000);
    recorder.tell(event());
    await until(() => problems.length === 2, "the second write");
    assert.equal(api.all(EVENTS).length, 1);
    assert.deepEqual(problems, [null, null]);
  });

  it("writes no more than its rate allows, whatever is told", async () => {
    for (let i = 0; i < 5000; i++) recorder.tell(event({ note: `stage ${i}` }));
    await until(() => problems.length === 25, "the burst");
    assert.equal(recorder.lost, 5000 - 25);
    clock.set(clock.nowMs() + 4000);
    for (let i = 0; i < 10; i++) recorder.tell(event({ note: `later ${i}` }));
    await until(() => problems.length === 27, "two more");
    assert.equal(writes(), 27);
  });

  it("pauses after a refusal, says why, and goes on later", async () => {
    api.intercept = (request, response) => request.method === "POST" && refuse(response, 403, "Forbidden", "no");
    recorder.tell(event());
    await until(() => problems.length === 1, "the refusal");
    assert.match(String(problems[0]), /verbs: \["create"\]/);
    recorder.tell(event({ note: "other" }));
    api.intercept = () => false;
    clock.set(clock.nowMs() + 61_000);
    recorder.tell(event());
    await until(() => problems.length === 2, "the write");
    assert.equal(problems[1], null);
    assert.equal(api.all(EVENTS).length, 1);
  });

  it("goes on at once after an Event that was refused for what it says", async () => {
    api.intercept = (request, response) => request.method === "POST" && refuse(response, 422, "Invalid", "no name");
    recorder.tell(event());
    await until(() => problems.length === 1, "the refusal");
    api.intercept = () => false;
    recorder.tell(event({ note: "other" }));
    await until(() => problems.length === 2, "the write");
    assert.equal(problems[1], null);
  });

  it("goes on in other namespaces than the one that it may not write into", async () => {
    api.intercept = (request, response) =>
      request.method === "POST" &&
      request.path.includes("/namespaces/bank/") &&
      refuse(response, 403, "Forbidden", "no");
    const inBank = { namespace: "bank", name: "x" };
    recorder.tell(event({ scaledObject: inBank }));
    recorder.tell(event({ scaledObject: inBank, note: "waits and is lost" }));
    recorder.tell(event());
    await until(() => problems.length === 2, "both writes");
    assert.equal(problems[1], null);
    assert.deepEqual(
      api.all(EVENTS).map(({ metadata }) => metadata.namespace),
      ["shop"],
    );
    assert.equal(recorder.lost, 2);
  });

  it("names an Event as the API server takes it, whatever a long name is cut to", async () => {
    for (const [i, joint] of ["-", ".", "-.-"].entries()) {
      recorder.tell(event({ scaledObject: { namespace: "shop", name: `${"a".repeat(200 - joint.length)}${joint}b` } }));
      await until(() => problems.length === i + 1, "the write");
    }
    const names = api.all(EVENTS).map(({ metadata }) => String(metadata.name));
    assert.equal(names.length, 3);
    for (const name of names) assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  });

  it("cuts a note that the API server would refuse", async () => {
    recorder.tell(event({ note: "ü".repeat(3000) }));
    await until(() => problems.length === 1, "the write");
    assert.ok(Buffer.byteLength(String(api.all(EVENTS)[0]?.["note"])) <= 1024);
  });
});
