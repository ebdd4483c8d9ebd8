import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dataName, encodeId, encodeIdPrefix, idOfPlain, idOfRecord, plainName, recordName } from '../src/object-names.ts';
import { expectCode } from './support/expect-code.ts';

const OBJECT_NAME = /^[a-z0-9._/%-]{1,3072}$/;
const HEX = '00112233445566778899aabbccddeeff';

/** Segments of all sorts of characters, the awkward ones often. */
const segment = fc
  .string({ unit: fc.oneof(fc.constantFrom('.', '%', 'A', 'a', 'é', 'e\u0301', '-', '_', ' ', '\\', ':', '~', '0'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 })), minLength: 1, maxLength: 20 })
  .filter((text) => text !== '.' && text !== '..' && !/[/\0]/.test(text) && !/\.kf[kcp]$/.test(text) && text.isWellFormed());
const id = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/')).filter((text) => Buffer.byteLength(text) <= 1_000);

describe('the object name of an id', () => {
  test('gives the id back, whatever it is made of', () => {
    fc.assert(
      fc.property(id, (text) => {
        expect(idOfRecord(recordName(text))).toBe(text);
        expect(idOfPlain(plainName(text))).toBe(text);
        expect(recordName(text)).toMatch(OBJECT_NAME);
        expect(dataName(text, HEX)).toMatch(OBJECT_NAME);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is no other id\'s, neither as record nor as data nor as plain object', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        fc.pre(a !== b);
        const names = (text: string): string[] => [recordName(text), plainName(text), dataName(text, HEX)];
        expect(new Set([...names(a), ...names(b)]).size).toBe(6);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['job-7/chk-42', 'job-7/chk-42.kfk'],
    ['A', '%41.kfk'],
    ['a', 'a.kfk'],
    ['100%', '100%25.kfk'],
    ['%41', '%2541.kfk'],
    ['é', '%c3%a9.kfk'],
    ['e\u0301', 'e%cc%81.kfk'],
    ['😀', '%f0%9f%98%80.kfk'],
    ['\u{feff}a', '%ef%bb%bfa.kfk'],
    ['a b\\c:d~e', 'a%20b%5cc%3ad%7ee.kfk'],
    ['...', '....kfk'],
    ['.hidden/..x', '.hidden/..x.kfk'],
    ['a.kfk', 'a.kfk.kfk'],
    [`a.${HEX}`, `a.${HEX}.kfk`],
  ])('of %j is %s', (text, name) => {
    expect(recordName(text)).toBe(name);
    expect(idOfRecord(name)).toBe(text);
  });

  test('of data carries the object id', () => {
    expect(dataName('Job/1', HEX)).toBe(`%4aob/1.${HEX}.kfc`);
  });

  test('differs where a file system that folds case or normalises Unicode would see one', () => {
    expect(recordName('a').toLowerCase()).not.toBe(recordName('A').toLowerCase());
    expect(recordName('é').normalize('NFC')).not.toBe(recordName('e\u0301').normalize('NFC'));
  });
});

describe('an id is refused', () => {
  test.each([
    '', '.', '..', '../x', 'a/..', 'a/../b', 'a/./b', '/a', 'a/', '/', 'a//b', '\0', 'a\0b', '\ud800', 'a\udfffb',
    'x'.repeat(1_025), 'é'.repeat(513), 'a.kfk/b', 'a.kfc/b', 'a/b.kfp/c',
  ])('%j', async (text) => {
    await expectCode(() => encodeId(text), 'INVALID_ARGUMENT', /checkpoint id/);
  });

  test.each([undefined, null, 7, {}, ['a'], new Uint8Array(3)])('that is no string: %j', async (value) => {
    await expectCode(() => encodeId(value as string), 'INVALID_ARGUMENT', /1 to 1,024/);
  });

  test('where its object names would be longer than a name may be, and not one character earlier', async () => {
    const longest = 'A'.repeat(1_005) + 'b'.repeat(19);
    expect(dataName(longest, HEX)).toHaveLength(3_071);
    expect(dataName(longest.replace('b', '!').slice(0, -1), HEX).length).toBeLessThanOrEqual(3_072);
    await expectCode(() => encodeId('A'.repeat(1_024)), 'INVALID_ARGUMENT', /3035 characters/);
  });

  test('only for what it is: 1,024 bytes are an id', () => {
    expect(idOfRecord(recordName('x'.repeat(1_024)))).toBe('x'.repeat(1_024));
  });
});

describe('a foreign object name', () => {
  test.each([
    'a', 'a.kfc', '.kfk', '/a.kfk', 'a/.kfk', '..kfk', '...kfk', 'a/..kfk', 'a//b.kfk', 'A.kfk', 'a b.kfk', '%.kfk', '%4.kfk', '%zz.kfk', '%61.kfk',
    '%C3%A9.kfk', '%c3.kfk', '%ff.kfk', '%2f.kfk', '%00.kfk', '%2e%2e.kfk', 'é.kfk', '%+1.kfk', '% 1.kfk', '%0x.kfk', 'a.kfk/b.kfk', '%ed%a0%80.kfk',
    '\u0161.kfk', `${'x'.repeat(1_025)}.kfk`,
  ])('%j is no id\'s', (name) => {
    expect(idOfRecord(name)).toBeUndefined();
    expect(idOfPlain(name.replace(/\.kfk$/, '.kfp'))).toBeUndefined();
  });

  test('never decodes to an id that would be stored elsewhere', () => {
    const pieces = fc.constantFrom('%', '4', '1', 'c', '3', 'a', '9', '.', '/', 'A', '..', '%41', '%c3%a9', '%2f', '.kfk');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const name = `${parts.join('')}.kfk`;
        const decoded = idOfRecord(name);
        if (decoded !== undefined) expect(recordName(decoded)).toBe(name);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('an id prefix', () => {
  test('finds exactly the ids that begin with it', () => {
    fc.assert(
      fc.property(id, id, fc.nat(), (a, b, cut) => {
        const prefix = a.slice(0, cut % (a.length + 1));
        fc.pre(prefix.isWellFormed() && !prefix.split('/').slice(0, -1).some((part) => part === '.' || part === '..'));
        const encoded = encodeIdPrefix(prefix);
        expect(recordName(a).startsWith(encoded)).toBe(true);
        if (recordName(b).startsWith(encoded)) expect(b.startsWith(prefix) || `${b}.kfk`.startsWith(prefix)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([['', ''], ['Job-', '%4aob-'], ['a/', 'a/'], ['a/.', 'a/.'], ['..', '..'], ['%4', '%254']])('%j is encoded as %j', (prefix, encoded) => {
    expect(encodeIdPrefix(prefix)).toBe(encoded);
  });

  test.each(['../', 'a/../b', './', '/', 'a//', '\ud800', 'x'.repeat(1_025), 'é'.repeat(513)])('%j is refused', async (prefix) => {
    await expectCode(() => encodeIdPrefix(prefix), 'INVALID_ARGUMENT', /prefix/);
  });

  test('that is no string is refused', async () => {
    await expectCode(() => encodeIdPrefix(7 as unknown as string), 'INVALID_ARGUMENT', /prefix/);
  });
});
