import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { METADATA_LIMIT_BYTES } from '../src/format/checkpoint.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { type CheckpointMetadata, encodeMetadata } from '../src/sealing/metadata.ts';
import { thrownBy } from './support/bytes.ts';
import { LeakyKms, openRecord, seal } from './support/checkpoints.ts';

async function roundTrip(metadata: CheckpointMetadata): Promise<CheckpointMetadata> {
  const kms = new LeakyKms();
  const { record } = await seal(kms, new Uint8Array(0), { metadata });
  return (await openRecord(record, { kms })).metadata;
}

function refusal(metadata: unknown): unknown {
  return thrownBy(() => encodeMetadata(metadata as CheckpointMetadata));
}

describe('the metadata of a checkpoint', () => {
  test('comes back as it was', async () => {
    const metadata = { job: 'j-1', operators: ['map', 'reduce'], takenAt: 1_700_000_000_000, nested: { deep: [null, true, -0.5] }, 'ключ': '🔑' };
    expect(await roundTrip(metadata)).toEqual(metadata);
  });

  test('comes back whatever JSON object it was', async () => {
    const values = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(values, async (metadata) => {
        const expected: unknown = JSON.parse(JSON.stringify(metadata));
        expect(await roundTrip(metadata as CheckpointMetadata)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('is an empty object unless given', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, new Uint8Array(0));
    expect((await openRecord(record, { kms })).metadata).toEqual({});
  });

  test('has up to 65,416 bytes as JSON and not one more', async () => {
    const filled = (bytes: number): CheckpointMetadata => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) });
    expect(encodeMetadata(filled(METADATA_LIMIT_BYTES)).byteLength).toBe(65_416);
    expect(await roundTrip(filled(METADATA_LIMIT_BYTES))).toEqual(filled(METADATA_LIMIT_BYTES));
    expect(isKeyfoldError(refusal(filled(METADATA_LIMIT_BYTES + 1)), 'LIMIT_EXCEEDED')).toBe(true);
  });

  test('is measured in bytes of UTF-8, not in characters', () => {
    expect(isKeyfoldError(refusal({ a: 'ä'.repeat(40_000) }), 'LIMIT_EXCEEDED')).toBe(true);
  });

  test('that JSON cannot hold is refused', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const trap = {
      toJSON: (): never => {
        throw new Error('a secret');
      },
    };
    for (const metadata of [circle, { big: 1n }, trap, { nested: trap }]) {
      const error = refusal(metadata);
      expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
      expect(String(error)).not.toContain('secret');
      expect((error as Error).cause).toBeUndefined();
    }
  });

  test('that is no object is refused', () => {
    for (const metadata of [[], ['a'], 'text', 5, true, Symbol('s'), (): void => undefined, null, undefined]) {
      expect(isKeyfoldError(refusal(metadata), 'INVALID_ARGUMENT')).toBe(true);
    }
  });

  test('whose toJSON makes it something else than an object is refused', () => {
    for (const result of ['text', 5, [1], null, undefined]) {
      expect(isKeyfoldError(refusal({ toJSON: () => result }), 'INVALID_ARGUMENT')).toBe(true);
    }
    expect(isKeyfoldError(refusal(new Date(0)), 'INVALID_ARGUMENT')).toBe(true);
  });

  test('is what toJSON makes of it', () => {
    expect(Buffer.from(encodeMetadata({ toJSON: () => ({ a: 1 }) } as unknown as CheckpointMetadata)).toString()).toBe('{"a":1}');
  });

  test('loses keys that are undefined, as JSON has it', async () => {
    expect(await roundTrip({ a: 1, b: undefined } as unknown as CheckpointMetadata)).toEqual({ a: 1 });
  });

  test('keeps keys named like prototypes as plain keys and changes no prototype', async () => {
    const metadata = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":"text"}') as CheckpointMetadata;
    const back = await roundTrip(metadata);
    expect(Object.keys(back)).toEqual(['__proto__', 'constructor', 'toString']);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(JSON.stringify(back)).toBe(JSON.stringify(metadata));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
