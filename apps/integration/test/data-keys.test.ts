import { LocalKms } from '@keyfold/kms-local';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { UNLOCK_KEY, filesIn, keyringPath } from './support/product.ts';
import { SIGMAS, byteValues, monobit, serialCorrelation, worstBit } from './support/randomness.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { findTrace, tracesOf } from './support/traces.ts';

const PROCESSES = 2;
const EACH = 50_000;
const KEY_BYTES = 32;
/** The key, and what the data begin with: 8 bytes, object id, DEK id, salt, commitment. */
const RECORD_BYTES = KEY_BYTES + 96;
const KEY_HEX = Buffer.from(UNLOCK_KEY).toString('hex');

function fixture(name: string): string {
  return join(import.meta.dirname, 'fixtures', name);
}

async function sealed(): Promise<Buffer> {
  const keyring = join(temporaryDirectory(), 'keyring.kf');
  await (await LocalKms.create(keyring, { key: UNLOCK_KEY })).close();
  const argument = JSON.stringify({ keyring, key: KEY_HEX, count: EACH });
  const run = (): Promise<{ stdout: Buffer }> =>
    promisify(execFile)(process.execPath, [fixture('sealing-worker.mjs'), argument], { encoding: 'buffer', maxBuffer: 2 * EACH * RECORD_BYTES });
  const outputs = await Promise.all(Array.from({ length: PROCESSES }, run));
  return Buffer.concat(outputs.map(({ stdout }) => stdout));
}

/** The bytes from `start` to `end` of every record, one behind the other. */
function column(records: Buffer, start: number, end: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < records.byteLength; at += RECORD_BYTES) parts.push(records.subarray(at + start, at + end));
  return Buffer.concat(parts);
}

function distinct(records: Buffer, start: number, end: number): number {
  const seen = new Set<string>();
  for (let at = 0; at < records.byteLength; at += RECORD_BYTES) seen.add(records.toString('latin1', at + start, at + end));
  return seen.size;
}

describe(`the data keys of ${PROCESSES * EACH} checkpoints that ${PROCESSES} processes have sealed under one keyring`, () => {
  test('are all different and look like random, and so do their ids and salts', async () => {
    const records = await sealed();
    expect(records.byteLength).toBe(PROCESSES * EACH * RECORD_BYTES);
    const columns = { keys: [0, 32], objectIds: [40, 56], dekIds: [56, 72], salts: [72, 96], commitments: [96, 128] } as const;
    for (const [what, [start, end]] of Object.entries(columns)) {
      expect(distinct(records, start, end), what).toBe(PROCESSES * EACH);
      const bytes = column(records, start, end);
      expect(Math.abs(monobit(bytes)), what).toBeLessThan(SIGMAS);
      expect(Math.abs(byteValues(bytes)), what).toBeLessThan(SIGMAS);
      // The worst of many is a little worse.
      expect(worstBit(bytes, end - start), what).toBeLessThan(SIGMAS + 1);
      for (const distance of [1, end - start]) expect(Math.abs(serialCorrelation(bytes, distance)), what).toBeLessThan(SIGMAS);
    }
  });
});

test('the tests of randomness refuse what is not random', () => {
  const counter = Uint8Array.from({ length: 1_000_000 }, (_, index) => index);
  expect(Math.abs(serialCorrelation(counter, 1))).toBeGreaterThan(SIGMAS);
  expect(Math.abs(byteValues(counter))).toBeGreaterThan(SIGMAS);
  const biased = Uint8Array.from({ length: 1_000_000 }, (_, index) => (index % 256) | (index % 64 === 0 ? 1 : 0));
  expect(Math.abs(monobit(biased))).toBeGreaterThan(SIGMAS);
  expect(worstBit(biased, 32)).toBeGreaterThan(SIGMAS + 1);
});

describe('no file holds a data key, a KEK or the unlock key, raw, as hex or as base64,', () => {
  test.each([
    ['after saves, loads, rewraps, rotations and a destroyed version', undefined],
    ['nor when the process was killed in a save', 'save'],
    ['nor when the process was killed in a rotation', 'rotate'],
  ])('%s', async (_, killAt) => {
    const root = temporaryDirectory();
    mkdirSync(join(root, 'keys'), { mode: 0o700 });
    const { stdout } = await promisify(execFile)(process.execPath, [fixture('secrets-worker.mjs'), JSON.stringify({ root, key: KEY_HEX, killAt })]).catch(
      (error: unknown) => {
        expect(error).toMatchObject({ signal: 'SIGKILL' });
        return error as { stdout: string };
      },
    );
    const { deks, keks } = JSON.parse(stdout) as { deks: string[]; keks: string[] };
    expect(deks.length).toBeGreaterThanOrEqual(22);
    // The first, four rotations, and the one that it was killed in.
    expect(keks).toHaveLength(killAt === 'rotate' ? 6 : 5);
    const keys = [...deks, ...keks].map((hex) => Buffer.from(hex, 'hex'));
    const traces = [...keys, Buffer.from(UNLOCK_KEY)].flatMap(tracesOf);
    const files = filesIn(root);
    expect(files.length).toBeGreaterThan(25);
    expect(files.some((path) => path.includes('~'))).toBe(killAt !== undefined);
    expect(files).toContain(keyringPath(root));
    expect(files.filter((path) => findTrace(readFileSync(path), traces))).toEqual([]);
  });

  test('and the search finds each of these forms, or half of a key', () => {
    const key = Buffer.from(Array.from({ length: 32 }, (_, index) => (index * 37 + 200) % 256));
    const traces = tracesOf(key);
    const forms = [key, key.subarray(0, 16), key.subarray(16), key.toString('hex'), key.toString('hex').toUpperCase(), JSON.stringify([...key])];
    const encoded = ['', 'x', 'xy'].flatMap((before) =>
      (['base64', 'base64url'] as const).map((encoding) => Buffer.concat([Buffer.from(before), key, Buffer.from('z')]).toString(encoding)),
    );
    for (const form of [...forms, ...encoded]) expect(findTrace(Buffer.concat([Buffer.from('before'), Buffer.from(form), Buffer.from('behind')]), traces)).toBe(true);
    expect(findTrace(Buffer.from(key.toReversed()), traces)).toBe(false);
  });
});
