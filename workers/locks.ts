/** Web Locks, which Deno 2.9 has and its types have not yet (https://w3c.github.io/web-locks/). */
interface LockManager {
  request<T>(name: string, granted: () => T | Promise<T>): Promise<T>;
}

export const locks: LockManager = (navigator as unknown as { locks: LockManager }).locks;
