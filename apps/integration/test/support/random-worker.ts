import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { UNLOCK_KEY } from './product.ts';

const WORKER = join(import.meta.dirname, '../fixtures/random-worker.mjs');

export interface Actor {
  readonly name: string;
  /** Ids that nobody else writes. */
  readonly own: readonly string[];
}

export interface RandomOrder {
  readonly root: string;
  readonly seed: number;
  readonly operations: number;
  /** More than one: threads of one process. */
  readonly actors: readonly Actor[];
  /** Ids that have an owner: all read and rewrap them. */
  readonly owned: readonly string[];
  /** Ids that all write. */
  readonly shared: readonly string[];
}

/** One operation as its actor told of it. */
export interface Told {
  readonly actor: string;
  readonly n: number;
  readonly doing: string;
  readonly id: string;
  /** What it would write. */
  readonly value: string;
  readonly begin: bigint;
  /** Undefined when the actor was killed before. */
  readonly end: bigint | undefined;
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly result: unknown;
}

export interface RandomOutcome {
  readonly told: readonly Told[];
  readonly exit: NodeJS.Signals | number | null;
  readonly complaints: string;
}

interface Line extends Omit<Told, 'begin' | 'end'> {
  readonly begin?: string;
  readonly end?: string;
}

/** Runs an actor, or several as threads; with `killAfter` it is killed once it has told of so many operations. */
export function runRandomWorker(order: RandomOrder, killAfter = Number.POSITIVE_INFINITY): Promise<RandomOutcome> {
  const argument = JSON.stringify({ ...order, key: Buffer.from(UNLOCK_KEY).toString('hex') });
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WORKER, argument], { stdio: ['ignore', 'pipe', 'pipe'] });
    const told = new Map<string, Told>();
    let complaints = '';
    child.stderr.on('data', (text: Buffer) => {
      complaints += text.toString();
    });
    createInterface({ input: child.stdout }).on('line', (text) => {
      const { begin, end, ...line } = JSON.parse(text) as Line;
      const key = line.value;
      const before = told.get(key);
      told.set(key, { ...line, begin: before?.begin ?? BigInt(begin ?? 0), end: end === undefined ? undefined : BigInt(end) });
      if (told.size === killAfter && end === undefined) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ told: [...told.values()], exit: signal ?? code, complaints });
    });
  });
}
