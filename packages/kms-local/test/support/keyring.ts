import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isKeyfoldError, type ErrorCode, type KeyfoldError, type WrappedKey } from '@keyfold/core/provider';
import { expect, onTestFinished } from 'vitest';

export const context = { purpose: 'test' };

/** A new directory of mode 0700 that is removed after the test. */
export function tempDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-local-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Where a keyring of the test may be made, and a key for it. */
export function place(): { directory: string; path: string; key: Uint8Array } {
  const directory = tempDirectory();
  return { directory, path: join(directory, 'keyring.kf'), key: randomBytes(32) };
}

/** The KeyfoldError of that code with which `work` ends. */
export async function refusal(code: ErrorCode, work: Promise<unknown> | (() => unknown)): Promise<KeyfoldError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    expect(error).toMatchObject({ name: 'KeyfoldError', code });
    if (isKeyfoldError(error)) return error;
  }
  return expect.fail(`Expected a refusal with ${code}.`);
}

export interface WorkerRequest {
  readonly path: string;
  readonly key: Uint8Array;
  readonly actions: readonly string[];
  readonly killAt?: number;
  readonly uid?: number;
}

export interface Promised {
  readonly done: string;
  readonly plaintext: Buffer;
  readonly wrapped: WrappedKey;
}

export interface WorkerReport {
  readonly signal: string | null;
  readonly promised: Promised[];
  readonly steps?: string[];
  readonly error?: string;
}

const WORKER = fileURLToPath(new URL('../fixtures/worker.mjs', import.meta.url));

/** Another process at work on the keyring. */
export function runWorker(request: WorkerRequest): Promise<WorkerReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WORKER, argument(request)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      resolve(report(output, signal));
    });
  });
}

/** The same, while this process waits in the middle of whatever it does. */
export function runWorkerNow(request: WorkerRequest): WorkerReport {
  return report(execFileSync(process.execPath, [WORKER, argument(request)], { encoding: 'utf8' }), null);
}

/** All that an iterable gives. */
export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

/** Every regular file of a directory, by name. */
export function filesOf(directory: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(directory)
      .sort()
      .map((name) => [name, readFileSync(join(directory, name))]),
  );
}

function argument({ key, ...rest }: WorkerRequest): string {
  return JSON.stringify({ ...rest, key: Buffer.from(key).toString('hex') });
}

interface Line {
  done?: string;
  plaintext?: string;
  wrapped?: Omit<WrappedKey, 'ciphertext'> & { ciphertext: string };
  steps?: string[];
  error?: string;
}

function report(output: string, signal: string | null): WorkerReport {
  const lines = output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  const promised = lines.flatMap(({ done, plaintext, wrapped }) =>
    done === undefined || plaintext === undefined || wrapped === undefined
      ? []
      : [{ done, plaintext: Buffer.from(plaintext, 'hex'), wrapped: { ...wrapped, ciphertext: Buffer.from(wrapped.ciphertext, 'hex') } }],
  );
  const { steps, error } = lines.at(-1) ?? {};
  return { signal, promised, ...(steps === undefined ? {} : { steps }), ...(error === undefined ? {} : { error }) };
}
