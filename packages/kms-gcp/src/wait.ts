import { setTimeout as delay } from 'node:timers/promises';
import { throwIfAborted } from '@keyfold/core/provider';
import type { SignalOptions } from './kms-calls.ts';

/** Waits, unless aborted. @throws KeyfoldError ABORTED */
export async function wait(ms: number, { signal }: SignalOptions): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {
    throwIfAborted(signal);
  });
}
