import fc from 'fast-check';
import { systemRandomSource } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { defaultKeyId } from '../../src/pkcs11/key-name.ts';
import { parsePkcs11Uri } from '../../src/pkcs11/uri.ts';
import { MAX_COUNTER, compareVersionIds, newVersionId, parseVersionId, type VersionId } from '../../src/pkcs11/version-id.ts';

function id(hex: string): VersionId {
  return parseVersionId(Buffer.from(hex, 'hex')) ?? expect.fail(`${hex} names no version`);
}

describe('the id of a version', () => {
  it('is laid out as the specification says', () => {
    const random = { bytes: (length: number) => new Uint8Array(length).fill(0xee) };
    expect(Buffer.from(newVersionId(0x01020304, 0x0a0b_0c0d_0e0f, random)).toString('hex')).toBe('4b4601010203040a0b0c0d0e0feeeeeeeeeeeeee');
  });

  it('gives back its counter and time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_COUNTER }), fc.integer({ min: 0, max: 2 ** 48 - 1 }), (counter, createdAt) => {
        expect(parseVersionId(newVersionId(counter, createdAt, systemRandomSource))).toMatchObject({ counter, createdAt });
      }),
    );
  });

  it('that somebody else gave has no time', () => {
    expect(id('01')).toEqual({ text: '01', counter: 0, createdAt: undefined });
    expect(id(`4b4602${'00'.repeat(17)}`)).toMatchObject({ counter: 0, createdAt: undefined });
    expect(id(`4b4601${'00'.repeat(16)}`)).toMatchObject({ counter: 0, createdAt: undefined });
  });

  it('names nothing when it is empty or longer than a key record can hold', () => {
    expect(parseVersionId(new Uint8Array(0))).toBeUndefined();
    expect(parseVersionId(new Uint8Array(129))).toBeUndefined();
    expect(parseVersionId(new Uint8Array(128))).toBeDefined();
  });

  it('is newer than all of lower counters, and foreign ones are older and ordered as numbers', () => {
    const ours = (counter: number, time: number): VersionId => parseVersionId(newVersionId(counter, time, systemRandomSource)) ?? expect.fail();
    const order = [id('00'), id('0000'), id('01'), id('0001'), id('02'), id('0a'), id('ff'), id('0100'), id('010000'), ours(1, 9), ours(2, 5), ours(300, 1)];
    for (let round = 0; round < 20; round++) {
      const shuffled = [...order].sort(() => (systemRandomSource.bytes(1)[0] ?? 0) - 128);
      expect(shuffled.sort(compareVersionIds)).toEqual(order);
    }
  });

  it('is in one order for everybody, also among those of one counter', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(bytes, bytes, bytes, (a, b, c) => {
        const [x, y, z] = [a, b, c].map((each) => id(Buffer.from(each).toString('hex'))) as [VersionId, VersionId, VersionId];
        expect(Math.sign(compareVersionIds(x, y))).toBe(-Math.sign(compareVersionIds(y, x)) + 0);
        expect(compareVersionIds(x, y) === 0).toBe(x.text === y.text);
        if (compareVersionIds(x, y) <= 0 && compareVersionIds(y, z) <= 0) expect(compareVersionIds(x, z)).toBeLessThanOrEqual(0);
      }),
    );
    const [one, two] = ['00', '01'].map((last) => id(`4b460100000007000000000000${'00'.repeat(6)}${last}`));
    expect(one !== undefined && two !== undefined && compareVersionIds(one, two) < 0).toBe(true);
  });
});

describe('the name of a key', () => {
  it('is a PKCS#11 URI of printable ASCII that gives both labels back', () => {
    const label = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((value) => value.isWellFormed() && !value.includes('\0'));
    fc.assert(
      fc.property(label, label, (token, object) => {
        const name = defaultKeyId(token, object);
        expect(name).toMatch(/^[\x21-\x7e]{1,2048}$/);
        expect(parsePkcs11Uri(name)).toMatchObject({ token, object, type: 'secret-key' });
      }),
    );
    expect(defaultKeyId('My token', 'kek/1')).toBe('pkcs11:token=My%20token;object=kek%2F1;type=secret-key');
  });
});
