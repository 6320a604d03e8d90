import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach, describe, it } from "mocha";
import { RunningScaler } from "./support/running-scaler.ts";

/** Opens an HTTP/2 connection and never says another word: neither answers nor closes, as a peer that is frozen or cut off. */
function frozenPeer(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), emptySettings]));
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    // The server's settings came: from now on nothing is read.
    socket.once("data", () => {
      socket.pause();
      resolve(socket);
    });
  });
}

describe("a peer that is frozen when the scaler ends", () => {
  const peers: Socket[] = [];

  afterEach(() => {
    for (const peer of peers.splice(0)) peer.destroy();
  });

  it("does not keep it from ending", async () => {
    const running = await RunningScaler.start();
    const { keda, switchers } = running.scaler.ports;
    for (const port of [keda, switchers]) peers.push(await frozenPeer(port));
    await running.close();
    assert.equal(await frozenPeer(keda).catch(() => "refused"), "refused");
  });
});
