import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { WrappedKey } from '@keyfold/core/provider';
import { onTestFinished } from 'vitest';
import type { Pkcs11Options } from '../../../src/pkcs11/index.ts';

/** A line of fixtures/worker.mjs. */
export interface Line {
  readonly rotated?: string;
  readonly plaintext?: string;
  readonly wrapped?: Omit<WrappedKey, 'ciphertext'> & { readonly ciphertext: string };
  readonly ready?: true;
  readonly error?: string;
  readonly message?: string;
}

export interface Other {
  readonly lines: Line[];
  /** When it is over; the signal that ended it. */
  readonly over: Promise<string | null>;
  readonly child: ChildProcess;
}

const PROGRAM = fileURLToPath(new URL('../fixtures/worker.mjs', import.meta.url));

/** Another process. */
export function startProcess(options: Pkcs11Options, actions: readonly string[], env: Readonly<Record<string, string>>): Other {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ options, actions })], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: Line[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const [last = '', ...whole] = (rest + chunk.toString()).split('\n').reverse();
    rest = last;
    lines.push(...whole.reverse().map((line) => JSON.parse(line) as Line));
  });
  const over = new Promise<string | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      resolve(signal);
    });
  });
  return { lines, over, child };
}

/** A worker thread of this process. */
export function runThread(options: Pkcs11Options, actions: readonly string[]): Promise<Line[]> {
  return new Promise((resolve, reject) => {
    const lines: Line[] = [];
    const worker = new Worker(PROGRAM, { workerData: { options, actions } });
    worker.on('message', (line: Line) => lines.push(line));
    worker.on('error', reject);
    worker.on('exit', () => {
      resolve(lines);
    });
  });
}

export function unhex(wrapped: Line['wrapped']): WrappedKey {
  if (wrapped === undefined) throw new Error('The other one wrapped nothing.');
  return { ...wrapped, ciphertext: Buffer.from(wrapped.ciphertext, 'hex') };
}

/** Until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
