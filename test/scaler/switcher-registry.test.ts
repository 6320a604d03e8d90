import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Assignment } from "../../domain/assignment.ts";
import { NO_VERSION } from "../../domain/assignment.ts";
import type { Hello } from "../../scaler/switcher-messages.ts";
import { type SwitcherChannel, SwitcherRegistry } from "../../scaler/switcher-registry.ts";
import { RunningScaler } from "./support/running-scaler.ts";

const helloOf = (pod: string): Hello => ({
  protocolVersions: [2],
  namespace: "shop",
  pipeline: "cards",
  stage: "detect",
  pod,
  address: "127.0.0.1:8000",
  softwareVersion: "0.2.0",
  cores: 1,
  memoryMib: 512,
  applied: NO_VERSION,
  variant: "heavy",
  residentVariants: ["heavy"],
  ready: true,
  missingVariants: [],
});

describe("SwitcherRegistry", () => {
  it("ends the stream of a switcher that can't be told what to serve, and tells the others", async () => {
    const running = await RunningScaler.start();
    try {
      await running.planFor(20);
      const { board } = running;
      assert.ok(board);
      const told = new Map<string, Assignment>();
      const ended = new Map<string, string>();
      const registry = new SwitcherRegistry();
      const channelOf = (pod: string, isBroken: boolean): SwitcherChannel => ({
        send: assignment => {
          if (isBroken) throw new Error("its channel is broken");
          told.set(pod, assignment);
        },
        recheck: () => undefined,
        close: error => ended.set(pod, error?.message ?? "OK"),
      });
      for (const [pod, isBroken] of [["first", true] as const, ["second", false] as const])
        registry.connect(helloOf(pod), channelOf(pod, isBroken), null, 0);
      registry.push(board);
      assert.deepEqual([...told.keys()], ["second"]);
      assert.deepEqual([...ended], [["first", "its channel is broken"]]);
    } finally {
      await running.close();
    }
  });
});
