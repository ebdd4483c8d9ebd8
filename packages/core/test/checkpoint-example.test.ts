import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { parseKeyRecord } from '../src/format/key-record.ts';
import { CheckpointSealer } from '../src/sealing/checkpoint-sealer.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { open, openRecord } from './support/checkpoints.ts';
import { hex } from './support/vectors.ts';

const IDENTITY = { tenant: 'acme', checkpoint: 'run-1' };

/** Bytes of the first code block under a heading of a specification; what stands behind two spaces is a comment. */
function example(document: string, heading: string): Uint8Array {
  const text = readFileSync(new URL(`../../../docs/spec/${document}.md`, import.meta.url), 'utf8');
  const block = text.slice(text.indexOf(heading)).split('```')[1] ?? '';
  return hex(
    block
      .split('\n')
      .map((line) => line.trim().split('  ')[0]?.replaceAll(' ', ''))
      .join(''),
  );
}

const RECORD = example('key-record', '## 8. Example');
const DATA = example('checkpoint', '## 9. Example');

function counting(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => from + index);
}

/** The service of the example: made up, and gives its DEK. */
function exampleKms(): MemoryKms {
  const kms = new MemoryKms('k1');
  (kms as { provider: string }).provider = 'local';
  const wrapped = { provider: 'local', keyId: 'k1', keyVersion: '1', algorithm: 'example', ciphertext: hex('f0f1f2f3') };
  vi.spyOn(kms, 'generateDataKey').mockImplementation(() => Promise.resolve({ plaintext: counting(0, 32), wrapped }));
  vi.spyOn(kms, 'decrypt').mockImplementation(() => Promise.resolve(counting(0, 32)));
  return kms;
}

describe('the example of the specifications', () => {
  test('opens', async () => {
    const reader = { kms: exampleKms(), identity: IDENTITY };
    expect((await openRecord(RECORD, reader)).metadata).toEqual({ job: 'j' });
    expect((await open(RECORD, DATA, reader)).toString()).toBe('keyfold');
    expect(parseKeyRecord(RECORD).record).toMatchObject({ generation: 1, created: 1_700_000_000_000 });
  });

  test('is what sealing gives from the same key, ids and salts', async () => {
    const draws = [counting(0xa0, 16), counting(0x80, 16), counting(0x40, 24), counting(0x60, 24)];
    const random = { bytes: () => draws.shift() ?? new Uint8Array(0) };
    const options = { ...IDENTITY, kms: exampleKms(), metadata: { job: 'j' } };
    const sealer = await CheckpointSealer.begin(options, { random, clock: new ManualClock(1_700_000_000_000) });
    expect(sealer.record).toEqual(RECORD);
    expect(Buffer.concat([sealer.lead, ...sealer.push(Buffer.from('keyfold')), sealer.end()])).toEqual(Buffer.from(DATA));
  });
});
