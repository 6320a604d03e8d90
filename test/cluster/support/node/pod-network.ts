import { type ChildProcess, spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { until } from "../until.ts";
import { run } from "./command.ts";

/** Of all pods; apart from the addresses of the control plane, which are all the node's own. */
export const POD_RANGE = "10.78.0.0/16";
/** The node's side of every pod's link. */
export const NODE_ADDRESS = "10.78.0.1";
const MOST_PODS = 65_000;

let used = 1;

/**
 * The network namespace of one pod: an address of its own on a link to the node, by which everything goes, so that what the node does with
 * packets (Services, dropped ones) is done for all pods. It lasts as long as its process, which waits and does nothing else.
 */
export class PodNetwork {
  readonly address: string;
  readonly #holder: ChildProcess;

  private constructor(address: string, holder: ChildProcess) {
    this.address = address;
    this.#holder = holder;
  }

  static async create(): Promise<PodNetwork> {
    used += 1;
    const number = used;
    if (number > MOST_PODS) throw new Error("the test's node has no more addresses for pods");
    const address = `10.78.${number >> 8}.${number & 255}`;
    const holder = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
    const network = new PodNetwork(address, holder);
    const own = readlinkSync("/proc/self/ns/net");
    const isApart = () => readlinkSync(`${network.folder}/net`) !== own;
    await until(isApart, `a network namespace for ${address}`);
    network.#connect(`pod${number}`);
    return network;
  }

  /** Of the namespaces, as `nsenter` takes them. */
  get folder(): string {
    return `/proc/${this.#holder.pid}/ns`;
  }

  close(): void {
    this.#holder.kill("SIGKILL");
  }

  #connect(link: string): void {
    const pod = String(this.#holder.pid);
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pod);
    run("ip", "address", "add", `${NODE_ADDRESS}/32`, "dev", link);
    run("ip", "link", "set", link, "up");
    run("ip", "route", "add", `${this.address}/32`, "dev", link, "src", NODE_ADDRESS);
    const inside = (...args: readonly string[]) => run("nsenter", `--net=${this.folder}/net`, "ip", ...args);
    inside("link", "set", "lo", "up");
    inside("address", "add", `${this.address}/32`, "dev", "eth0");
    inside("link", "set", "eth0", "up");
    inside("route", "add", NODE_ADDRESS, "dev", "eth0", "scope", "link");
    inside("route", "add", "default", "via", NODE_ADDRESS);
  }
}

/** Drops every packet of pods to and from a port, until the function that it gives is called. */
export function cutPort(port: number): () => void {
  const rules = ["--dport", "--sport"].map(side => ["FORWARD", "-p", "tcp", side, String(port), "-j", "DROP"]);
  for (const rule of rules) run("iptables", "-I", ...rule);
  return () => {
    for (const rule of rules) run("iptables", "-D", ...rule);
  };
}
