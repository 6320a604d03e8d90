/** Shared by a session's thread and the one that may end it: not 0 while the thread is in native code. */
export type NativeFlag = Int32Array<SharedArrayBuffer>;

export function newNativeFlag(): NativeFlag {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

export function isInNative(flag: NativeFlag): boolean {
  return Atomics.load(flag, 0) !== 0;
}

/** Calls what goes into native code, on the session's thread. */
export async function inNative<T>(flag: NativeFlag, call: () => Promise<T>): Promise<T> {
  Atomics.store(flag, 0, 1);
  try {
    return await call();
  } finally {
    leaveNative(flag);
  }
}

export function leaveNative(flag: NativeFlag): void {
  Atomics.store(flag, 0, 0);
}
