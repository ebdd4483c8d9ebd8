import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import type { TestContext } from 'vitest';

/** Linux shows a process its children's memory. Elsewhere the test is skipped; in CI it fails. */
export function requireProcessMemory(context: TestContext): void {
  if (existsSync('/proc/self/mem') || process.env['CI'] !== undefined) return;
  context.skip('looking into the memory of a process takes Linux');
}

/** How often each needle stands in the memory that the process may write to. */
export function countInMemory(pid: number, needles: readonly Buffer[]): number[] {
  const counts = needles.map(() => 0);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const region of regionsOf(pid)) {
      for (const piece of piecesOf(memory, region)) {
        for (const [index, needle] of needles.entries()) counts[index] = (counts[index] ?? 0) + occurrences(piece, needle);
      }
    }
  } finally {
    closeSync(memory);
  }
  return counts;
}

interface Region {
  readonly start: number;
  readonly end: number;
}

function regionsOf(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/maps`, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const { start, end } = /^(?<start>[0-9a-f]+)-(?<end>[0-9a-f]+) rw/.exec(line)?.groups ?? {};
      return start === undefined || end === undefined ? [] : [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }];
    });
}

const PIECE = 16_777_216;
/** Longer than any needle: what lies across two pieces is found in the first. */
const OVERLAP = 64;

function* piecesOf(memory: number, { start, end }: Region): Generator<Buffer, void, undefined> {
  const buffer = Buffer.alloc(PIECE + OVERLAP);
  for (let at = start; at < end; at += PIECE) {
    const length = readMemory(memory, buffer, Math.min(buffer.byteLength, end - at), at);
    yield buffer.subarray(0, length);
  }
}

/** Regions that cannot be read, such as those of devices, hold no keys. */
function readMemory(memory: number, buffer: Buffer, length: number, at: number): number {
  try {
    return readSync(memory, buffer, 0, length, at);
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EIO') return 0;
    throw error;
  }
}

function occurrences(bytes: Buffer, needle: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + 1)) count++;
  return count;
}
