import { createHash } from "node:crypto";
import { existsSync, realpathSync, unlinkSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { VariscaleError } from "../domain/errors.ts";

/** A holder that does not answer for this long is one all the same; only its name is not known. */
const ANSWER_MS = 1000;
const MOST_ANSWER_BYTES = 1000;

/** The process that holds a folder, as it says itself. */
interface Holder {
  readonly command: string;
  readonly pid: number;
  readonly since: string;
}

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only one of this machine, or of its container on Linux, that writes into a folder: containers that share a volume
 * do not see each other's sockets. The lock is a local socket that belongs to the folder's path. The operating system frees it however the
 * process ends, so that no stale lock can be left, and the holder can be asked who it is.
 *
 * @param command names this process to another one that wants the folder.
 * @throws VariscaleError failed_precondition where another process holds it, with its pid and since when.
 */
export async function lockFolder(folder: string, command: string): Promise<FolderLock> {
  const path = socketPath(folder);
  const own: Holder = { command, pid: process.pid, since: new Date().toISOString() };
  const taken = await listen(path, own);
  if (taken) return taken;
  const holder = await askHolder(path);
  if (holder === "gone") {
    // Only a socket that is a file can be there without a process behind it.
    if (!path.startsWith("\0") && existsSync(path)) unlinkSync(path);
    const again = await listen(path, own);
    if (again) return again;
  }
  const who =
    typeof holder === "string"
      ? "another process, which does not say which it is"
      : `${holder.command} (pid ${holder.pid}, since ${holder.since})`;
  throw new VariscaleError(
    "failed_precondition",
    `the state folder ${folder} is in use by ${who}: two that write into one folder overwrite each other's plans and pins. Stop that process, or name another folder by --state-dir.`,
  );
}

/** Paths of socket files may be no longer than 100 bytes or so, so that the folder's path is told by its hash. */
function socketPath(folder: string): string {
  // A user without an entry in the system's list of users, as in containers with a random user, has a number all the same.
  const uid = process.getuid?.() ?? "user";
  const name = `variscale-${uid}-${createHash("sha256")
    .update(findRealPath(resolve(folder)))
    .digest("hex")
    .slice(0, 24)}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  // An abstract socket is no file: the kernel forgets it with its process.
  return process.platform === "linux" ? `\0${name}` : join(tmpdir(), `${name}.sock`);
}

/** Follows symbolic links as far as the folder is there already. */
function findRealPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(findRealPath(parent), path.slice(parent.length));
  }
}

/** Resolves with null where another process listens there. */
function listen(path: string, own: Holder): Promise<FolderLock | null> {
  const server: Server = createServer(socket => {
    socket.on("error", () => undefined);
    socket.end(JSON.stringify(own));
  });
  // The lock must not keep the process alive.
  server.unref();
  return new Promise((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? done(null) : fail(VariscaleError.from(error)),
    );
    server.listen(path, () => done({ release: () => new Promise(closed => server.close(() => closed())) }));
  });
}

function askHolder(path: string): Promise<Holder | "silent" | "gone"> {
  return new Promise(done => {
    const socket = createConnection(path);
    let said = "";
    const end = (holder: Holder | "silent" | "gone"): void => {
      socket.destroy();
      done(holder);
    };
    socket.setTimeout(ANSWER_MS, () => end("silent"));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      end(["ECONNREFUSED", "ENOENT"].includes(error.code ?? "") ? "gone" : "silent"),
    );
    socket.on("data", chunk => {
      said += chunk.toString("utf8");
      if (said.length > MOST_ANSWER_BYTES) end("silent");
    });
    socket.on("end", () => end(parseHolder(said)));
  });
}

function parseHolder(said: string): Holder | "silent" {
  try {
    const { command, pid, since } = JSON.parse(said) as Partial<Record<keyof Holder, unknown>>;
    if (typeof command === "string" && typeof pid === "number" && typeof since === "string")
      return { command: command.replace(/\p{Cc}/gu, ""), pid, since: since.replace(/\p{Cc}/gu, "") };
  } catch {
    // Another program has the name: it is in use all the same.
  }
  return "silent";
}
