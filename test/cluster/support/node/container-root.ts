import { chmodSync, lstatSync, mkdirSync, readlinkSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFolder } from "../../../../runtime/version.ts";

/** What the image has of the package. */
const OF_THE_PACKAGE = ["dist", "node_modules", "package.json", "pipelines"];
/** What programs of the machine need to run. */
const OF_THE_MACHINE = ["/usr", "/proc", "/sys", "/dev", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache"];
const USER = 1000;

export interface ContainerMount {
  /** In the container. */
  readonly path: string;
  /** On the machine. */
  readonly source: string;
  readonly readOnly: boolean;
}

export interface ContainerRoot {
  /** A new folder. */
  readonly folder: string;
  readonly mounts: readonly ContainerMount[];
  /** /etc/resolv.conf */
  readonly nameServer: string;
  /** /etc/hosts */
  readonly hosts: string;
}

/**
 * Writes a script that makes the file system of a container as the image has it (`/app`, its command, nothing to write to but volumes) from
 * what is on this machine, and runs a command there as the image's user. It is for a mount namespace of its own.
 */
export function writeStartScript(root: ContainerRoot): string {
  const files = join(root.folder, "root");
  mkdirSync(join(files, "etc"), { recursive: true });
  writeFileSync(join(files, "etc/resolv.conf"), `nameserver ${root.nameServer}\n`);
  writeFileSync(join(files, "etc/hosts"), root.hosts);
  const command = join(packageFolder, "scripts/variscale.sh");
  const image = [
    { path: "/image/node", source: realpathSync(process.execPath), readOnly: true },
    { path: "/image/variscale", source: command, readOnly: true },
    ...OF_THE_PACKAGE.map(name => ({ path: `/app/${name}`, source: join(packageFolder, name), readOnly: true })),
  ];
  const ofMachine = OF_THE_MACHINE.flatMap(path => machinePath(files, path));
  const lines = [...ofMachine, ...image, ...root.mounts].flatMap(mount => mountLines(files, mount));
  const script = join(root.folder, "start.sh");
  const start = `exec chroot --userspec=${USER}:${USER} --groups=${USER} '${files}' "$@"`;
  writeFileSync(
    script,
    ["#!/bin/sh", "set -e", `mount --bind '${files}' '${files}'`, ...lines, readOnly(files), start, ""].join("\n"),
  );
  chmodSync(script, 0o755);
  return script;
}

/** Where the machine has a link, the container has the same link. */
function machinePath(files: string, path: string): readonly ContainerMount[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  if (!found.isSymbolicLink()) return [{ path, source: path, readOnly: path !== "/proc" && path !== "/dev" }];
  symlinkSync(readlinkSync(path), join(files, path));
  return [];
}

function mountLines(files: string, { path, source, readOnly: isReadOnly }: ContainerMount): readonly string[] {
  const target = join(files, path);
  const real = realpathSync(source);
  if (lstatSync(real).isDirectory()) mkdirSync(target, { recursive: true });
  else {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, "");
  }
  return [`mount --rbind '${real}' '${target}'`, ...(isReadOnly ? [readOnly(target)] : [])];
}

function readOnly(target: string): string {
  return `mount -o remount,bind,ro '${target}'`;
}
