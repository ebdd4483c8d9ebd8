import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RandomPool } from '../src/crypto/random-pool.ts';
import { systemRandomSource } from '../src/crypto/random.ts';
import { parseDataHeader } from '../src/format/checkpoint.ts';
import { encodeContext, fieldContext, label } from '../src/format/context.ts';
import { FieldBinding } from '../src/format/field-binding.ts';
import { fieldFromText, fieldToText } from '../src/format/field-text.ts';
import { FIELD_LIMITS, looksLikeField, padField, parseFieldHeader, unpadField } from '../src/format/field.ts';
import { encodeKeyRecordBody, parseKeyRecord } from '../src/format/key-record.ts';
import { MalformedError } from '../src/format/reader.ts';
import { inspectField } from '../src/sealing/open-field.ts';
import { sealField } from '../src/sealing/seal-field.ts';
import { flipBit, patterned, secretKey, thrownBy } from './support/bytes.ts';
import { COLUMN, CONTEXT_ENTRIES, IN_ROW, KEY, open, rawContext, rawField, seal } from './support/fields.ts';
import { fieldRecordOf } from './support/records.ts';

const PLAINTEXT = patterned(20, 'content');
const ROW = '0190b0c0-7000-7000-8000-000000000001';

describe('a sealed field', () => {
  test('is the bytes of the specification: header, salt, commitment, ciphertext, tag', () => {
    const field = seal(PLAINTEXT);
    expect(Buffer.from(field.subarray(0, 7)).toString('hex')).toBe('8f4b4646010100');
    expect(field.subarray(7, 23)).toEqual(KEY.dekId);
    expect(rawField({ salt: field.subarray(23, 47) })).toEqual(field);
  });

  test('is what an independent encoder makes, with a row and with padding', () => {
    const entries = [...CONTEXT_ENTRIES.slice(0, 2), ['row', ROW] as const, ...CONTEXT_ENTRIES.slice(2)];
    const padded = Buffer.concat([PLAINTEXT, Buffer.from([0x80]), Buffer.alloc(11)]);
    expect(open(rawField({ context: rawContext(entries) }), { name: IN_ROW, row: ROW })).toEqual(PLAINTEXT);
    expect(open(rawField({ flags: 1, content: padded }))).toEqual(PLAINTEXT);
    const field = seal(PLAINTEXT, { name: IN_ROW, row: ROW, padded: true });
    expect(rawField({ flags: 1, content: padded, context: rawContext(entries), salt: field.subarray(23, 47) })).toEqual(field);
  });

  test('is what the examples of the specification are', () => {
    const document = readFileSync(new URL('../../../docs/spec/sealed-field.md', import.meta.url), 'utf8');
    const texts = [...document.matchAll(/text form:\n([^`]+)```/g)].map(([, text = '']) => text.replaceAll('\n', ''));
    const key = { dekId: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i), dek: secretKey(Uint8Array.from({ length: 32 }, (_, i) => i)) };
    const fields = texts.map((text) => fieldFromText(text) ?? new Uint8Array(0));
    const opened = fields.map((field, i) => open(field, i === 2 ? { key, name: IN_ROW, row: '42' } : { key }));
    expect(opened.map((plaintext) => plaintext && Buffer.from(plaintext).toString())).toEqual(['', 'sk_live', 'sk_live']);
    const random = { bytes: () => Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i) };
    const again = sealField(key, new FieldBinding(IN_ROW), Buffer.from('sk_live'), { row: '42', padded: true, random });
    expect(fieldToText(again)).toBe(texts[2]);
  });

  test('opens to what was sealed, at every size around the limits', () => {
    for (const size of [0, 1, 15, 16, 31, 32, 33, 16_351, 16_352, 16_382, 16_383]) {
      const field = seal(patterned(size));
      expect(field.byteLength).toBe(95 + size);
      expect(open(field)).toEqual(patterned(size));
    }
    for (const size of [0, 1, 31, 32, 33, 16_319, 16_320, 16_350, 16_351]) {
      const field = seal(patterned(size), { padded: true });
      expect(field.byteLength).toBe(95 + 32 * (Math.floor(size / 32) + 1));
      expect(open(field)).toEqual(patterned(size));
    }
  });

  test('opens to what was sealed, whatever that is', () => {
    const names = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), names, names, names, names, fc.boolean(), (plaintext, tenant, table, column, row, padded) => {
        const name = { tenant, table, column, bind: 'row' } as const;
        expect(open(seal(plaintext, { name, row, padded }), { name, row })).toEqual(plaintext);
      }),
    );
  });

  test.each([
    [16_384, false],
    [16_352, true],
  ])('holds no %i bytes (padded: %s)', (size, padded) => {
    expect(thrownBy(() => seal(patterned(size), { padded }))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('is another one every time', () => {
    expect(seal(PLAINTEXT)).not.toEqual(seal(PLAINTEXT));
  });

  test('leaves the plaintext as it was', () => {
    const plaintext = patterned(20);
    seal(plaintext, { padded: true });
    expect(plaintext).toEqual(patterned(20));
  });
});

describe('a field is refused', () => {
  test('at every bit flip', () => {
    for (const padded of [false, true]) {
      const field = seal(PLAINTEXT, { padded });
      for (let bit = 0; bit < field.byteLength * 8; bit++) expect(open(flipBit(field, bit)), `bit ${bit}`).toBeUndefined();
    }
  });

  test('at every truncation', () => {
    const field = seal(PLAINTEXT);
    for (let length = 0; length < field.byteLength; length++) {
      expect(open(field.subarray(0, length)), `the first ${length}`).toBeUndefined();
      expect(open(field.subarray(field.byteLength - length)), `the last ${length}`).toBeUndefined();
    }
  });

  test.each([1, 16, 32, 16_400])('with %i bytes more', (more) => {
    expect(open(Buffer.concat([seal(PLAINTEXT), Buffer.alloc(more)]))).toBeUndefined();
  });

  test('above its largest size, even if it were well made', () => {
    const field = rawField({ content: patterned(16_384) });
    expect(field.byteLength).toBe(FIELD_LIMITS.maxBytes + 1);
    expect(open(field)).toBeUndefined();
    expect(inspectField(field)).toBeUndefined();
    expect(inspectField(field.subarray(0, FIELD_LIMITS.maxBytes))).toBeDefined();
  });

  test.each([
    ['tenant', { tenant: 'other' }],
    ['table', { table: 'other' }],
    ['column', { column: 'other' }],
    ['case of a name', { column: 'API_KEY' }],
  ])('under another %s', (_, change) => {
    expect(open(seal(PLAINTEXT), { name: { ...COLUMN, ...change } })).toBeUndefined();
  });

  test('under another row', () => {
    expect(open(seal(PLAINTEXT, { name: IN_ROW, row: ROW }), { name: IN_ROW, row: `${ROW}0` })).toBeUndefined();
  });

  test('under a row when it was sealed without, and the reverse', () => {
    expect(open(seal(PLAINTEXT), { name: IN_ROW, row: ROW })).toBeUndefined();
    expect(open(seal(PLAINTEXT, { name: IN_ROW, row: ROW }))).toBeUndefined();
  });

  test.each(CONTEXT_ENTRIES.map(([key]) => key))('when its context lacks %s', (missing) => {
    expect(open(rawField({ context: rawContext(CONTEXT_ENTRIES.filter(([key]) => key !== missing)) }))).toBeUndefined();
  });

  test('when its context has a key more', () => {
    expect(open(rawField({ context: rawContext([...CONTEXT_ENTRIES, ['version', '1']]) }))).toBeUndefined();
  });

  test('when its context has another purpose', () => {
    const entries = CONTEXT_ENTRIES.map(([key, value]) => [key, key === 'purpose' ? 'checkpoint' : value] as const);
    expect(open(rawField({ context: rawContext(entries) }))).toBeUndefined();
  });

  test('when a boundary between two names is elsewhere', () => {
    const field = seal(PLAINTEXT, { name: { ...COLUMN, table: 'ab', column: 'c' } });
    expect(open(field, { name: { ...COLUMN, table: 'a', column: 'bc' } })).toBeUndefined();
    const inRow = seal(PLAINTEXT, { name: { ...IN_ROW, column: 'ab' }, row: 'c' });
    expect(open(inRow, { name: { ...IN_ROW, column: 'a' }, row: 'bc' })).toBeUndefined();
  });

  test('when its context is not sorted', () => {
    expect(open(rawField({ context: rawContext([...CONTEXT_ENTRIES].reverse()) }))).toBeUndefined();
  });

  test('when its context has a key twice', () => {
    expect(open(rawField({ context: rawContext([CONTEXT_ENTRIES[0] ?? ['', ''], ...CONTEXT_ENTRIES]) }))).toBeUndefined();
  });

  test('when it names another DEK, though the key is the same', () => {
    expect(open(rawField({ dekId: patterned(16, 'another') }))).toBeUndefined();
    expect(open(seal(PLAINTEXT), { key: { ...KEY, dekId: patterned(16, 'another') } })).toBeUndefined();
  });

  test('under another DEK', () => {
    expect(open(seal(PLAINTEXT), { key: { ...KEY, dek: secretKey(patterned(32, 'another')) } })).toBeUndefined();
  });

  test.each([0, 16, 31, 33, 64])('under a DEK of %i bytes, even if it was sealed so', (size) => {
    const bytes = patterned(size, 'a field dek');
    const key = { ...KEY, dek: secretKey(bytes) };
    expect(open(rawField({ key: bytes }), { key })).toBeUndefined();
    expect(thrownBy(() => seal(PLAINTEXT, { key }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test.each([
    ['version', [0, 2, 0x46, 0xff]],
    ['suite', [0, 2, 3, 0xff]],
    ['flags', [2, 3, 4, 0x80, 0x81, 0xff]],
  ] as const)('when its %s is unknown', (byte, values) => {
    for (const value of values) expect(open(rawField({ [byte]: value })), String(value)).toBeUndefined();
  });

  test('when its label is of another use', () => {
    expect(open(rawField())).toEqual(PLAINTEXT);
    for (const other of ['keyfold/checkpoint/v1\0', 'keyfold/field/v1', 'keyfold/field/v2\0']) expect(open(rawField({ label: other }))).toBeUndefined();
  });

  test.each([
    ['no padding', Buffer.alloc(0)],
    ['no marker', Buffer.alloc(32)],
    ['another marker', Buffer.concat([Buffer.alloc(31, 1), Buffer.from([0x81])])],
    ['something behind the marker', Buffer.concat([Buffer.alloc(30, 1), Buffer.from([0x80, 1])])],
    ['a whole block too many', Buffer.concat([Buffer.alloc(20, 1), Buffer.from([0x80]), Buffer.alloc(43)])],
    ['the marker in the block before', Buffer.concat([Buffer.alloc(31, 1), Buffer.from([0x80]), Buffer.alloc(32)])],
    ['a length that is no multiple of 32', Buffer.concat([Buffer.alloc(20, 1), Buffer.from([0x80]), Buffer.alloc(3)])],
    ['a marker alone', Buffer.from([0x80])],
  ])('when its padding is malformed: %s', (_, content) => {
    expect(open(rawField({ flags: 1, content }))).toBeUndefined();
    expect(open(rawField({ content }))).toEqual(new Uint8Array(content));
  });
});

describe('names are refused', () => {
  const LONE = 'a\ud800b';
  test.each([
    ['a tenant with a lone surrogate', { tenant: LONE }, undefined],
    ['a table with a lone surrogate', { table: LONE }, undefined],
    ['a column with a lone surrogate', { column: LONE }, undefined],
    ['a row with a lone surrogate', { bind: 'row' }, LONE],
    ['an empty tenant', { tenant: '' }, undefined],
    ['an empty table', { table: '' }, undefined],
    ['an empty column', { column: '' }, undefined],
    ['an empty row', { bind: 'row' }, ''],
    ['a tenant of 257 bytes', { tenant: 't'.repeat(257) }, undefined],
    ['a tenant of 258 bytes in 129 characters', { tenant: 'é'.repeat(129) }, undefined],
    ['a table of 65,537 bytes', { table: 't'.repeat(65_537) }, undefined],
    ['a column of 65,537 bytes', { column: 't'.repeat(65_537) }, undefined],
    ['a row of 65,537 bytes', { bind: 'row' }, 'r'.repeat(65_537)],
    ['a tenant that is no string', { tenant: 7 }, undefined],
    ['a row that is no string', { bind: 'row' }, 7],
    ['no row where the column binds it', { bind: 'row' }, undefined],
    ['a row where the column does not bind it', {}, ROW],
  ])('%s', (_, change, row) => {
    const options = { name: { ...COLUMN, ...change } as typeof COLUMN, ...(row === undefined ? {} : { row: row as string }) };
    expect(thrownBy(() => seal(PLAINTEXT, options))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(thrownBy(() => open(rawField(), options))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('not at their limits', () => {
    const name = { tenant: 'é'.repeat(128), table: 't'.repeat(65_536), column: 'c'.repeat(65_536), bind: 'row' } as const;
    const row = 'r'.repeat(65_536);
    expect(open(seal(PLAINTEXT, { name, row }), { name, row })).toEqual(PLAINTEXT);
  });

  test('not for being other strings that look the same', () => {
    const composed = seal(PLAINTEXT, { name: { ...COLUMN, table: 'é' } });
    expect(open(composed, { name: { ...COLUMN, table: 'e\u0301' } })).toBeUndefined();
    expect(open(composed, { name: { ...COLUMN, table: 'é' } })).toEqual(PLAINTEXT);
  });
});

describe('the binding of a column', () => {
  test('encoded once and joined with the row is the canonical context', () => {
    const name = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' });
    const header = patterned(23);
    fc.assert(
      fc.property(name, name, name, name, (tenant, table, column, row) => {
        const whole = (context: Parameters<typeof fieldContext>[0]): Buffer =>
          Buffer.concat([label('keyfold/field/v1'), header, encodeContext(fieldContext(context))]);
        const bound = new FieldBinding({ tenant, table, column, bind: 'row' }).of(header, row);
        const unbound = new FieldBinding({ tenant, table, column, bind: 'column' }).of(header, undefined);
        expect(Buffer.concat(bound)).toEqual(whole({ tenant, table, column, row }));
        expect(Buffer.concat(unbound)).toEqual(whole({ tenant, table, column }));
      }),
    );
  });
});

describe('formats are told apart', () => {
  test('a field is no checkpoint and no key record', () => {
    const field = seal(patterned(200));
    expect(() => parseDataHeader(field.subarray(0, 40))).toThrow(MalformedError);
    expect(() => parseKeyRecord(field)).toThrow(MalformedError);
  });

  test('a checkpoint and a key record are no fields', () => {
    const record = Buffer.concat([encodeKeyRecordBody(fieldRecordOf()), Buffer.alloc(32)]);
    const data = Buffer.concat([Buffer.from([0x8f, 0x4b, 0x46, 0x43, 1, 1, 0, 0]), Buffer.alloc(200)]);
    for (const other of [record, data]) {
      expect(inspectField(other)).toBeUndefined();
      expect(looksLikeField(other)).toBe(false);
      expect(open(other)).toBeUndefined();
    }
  });

  test('no text looks like a field', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !looksLikeField(Buffer.from(text))));
    expect(looksLikeField(Buffer.from([0x8f, 0x4b, 0x46]))).toBe(false);
    expect(looksLikeField(Buffer.from([0x8f, 0x4b, 0x46, 0x46]))).toBe(true);
  });

  test('only a malformed header is answered with undefined', () => {
    expect(() => parseFieldHeader(new Uint8Array(10))).toThrow(MalformedError);
    expect(() => inspectField(undefined as unknown as Uint8Array)).toThrow(TypeError);
  });
});

describe('padding', () => {
  test('is undone to the byte, and is always there', () => {
    for (let size = 0; size <= 100; size++) {
      const padded = padField(patterned(size));
      expect(padded.byteLength % 32).toBe(0);
      expect(padded.byteLength - size).toBeGreaterThanOrEqual(1);
      expect(padded.byteLength - size).toBeLessThanOrEqual(32);
      expect(unpadField(padded)).toEqual(patterned(size));
    }
  });

  test('is undone in one way only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), (bytes) => {
        const plaintext = unpadField(bytes);
        return plaintext === undefined || Buffer.from(padField(plaintext)).equals(bytes);
      }),
    );
  });
});

describe('salts', () => {
  test('of a million seals are a million', () => {
    const salts = new Set<string>();
    const random = new RandomPool();
    const seen = { bytes: (length: number): Uint8Array => {
      const salt = random.bytes(length);
      salts.add(Buffer.from(salt).toString('latin1'));
      return salt;
    } };
    const binding = new FieldBinding(COLUMN);
    const plaintext = new Uint8Array(1);
    for (let i = 0; i < 1_000_000; i++) sealField(KEY, binding, plaintext, { padded: false, random: seen });
    expect(salts.size).toBe(1_000_000);
  }, 300_000);

  test('stand in the field as they were drawn', () => {
    const salt = randomBytes(24);
    const field = sealField(KEY, new FieldBinding(COLUMN), PLAINTEXT, { padded: false, random: { bytes: () => new Uint8Array(salt) } });
    expect(field.subarray(23, 47)).toEqual(new Uint8Array(salt));
    expect(systemRandomSource.bytes(24)).not.toEqual(systemRandomSource.bytes(24));
  });
});
