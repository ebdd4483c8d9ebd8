import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { UNLOCK_KEY } from './product.ts';

const WORKER = join(import.meta.dirname, '../fixtures/killed-worker.mjs');

export interface Order {
  readonly operation: string;
  /** Bytes of what it saves. */
  readonly size: number;
}

export interface Outcome {
  readonly signal: NodeJS.Signals | undefined;
  readonly acknowledged: boolean;
  /** After a rotation: the save that followed. */
  readonly saved: boolean;
  /** Every step, when it ran to its end. */
  readonly steps: readonly string[];
  readonly complaints: string;
}

/** Another process that carries out the operation in `root`, up to the step at which it is to die. */
export function runKilledWorker(root: string, order: Order, killAt?: number): Promise<Outcome> {
  const argument = JSON.stringify({ ...order, root, killAt, key: Buffer.from(UNLOCK_KEY).toString('hex') });
  return new Promise((resolve) => {
    execFile(process.execPath, [WORKER, argument], { maxBuffer: 1e8 }, (error, stdout, stderr) => {
      const lines = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { acknowledged?: true; saved?: true; steps?: string[] });
      resolve({
        signal: error?.signal ?? undefined,
        acknowledged: lines.some((line) => line.acknowledged === true),
        saved: lines.some((line) => line.saved === true),
        steps: lines.at(-1)?.steps ?? [],
        complaints: stderr,
      });
    });
  });
}
