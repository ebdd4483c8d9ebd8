import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

const WORKER = join(import.meta.dirname, '../fixtures/checkpoint-worker.mjs');

/** Runs the worker to its end; gives the lines that it printed. */
export async function runWorker(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [WORKER, ...args], { env: { ...process.env, ...environment } });
  return stdout.split('\n').filter((line) => line !== '');
}

/** Starts the worker; what it prints is the caller's to read. */
export function startWorker(args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [WORKER, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}
