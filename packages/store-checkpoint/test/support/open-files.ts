import { readdirSync, readlinkSync } from 'node:fs';

/** Files below a temporary directory of a test that this process has open. */
export function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.includes('/keyfold-store-') ? [target] : [];
    } catch {
      return [];
    }
  });
}
