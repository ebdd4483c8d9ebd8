import { describe, expect, expectTypeOf, test, vi } from 'vitest';
import type { SealedColumn } from '../src/vault/sealed-column.ts';
import type { ColumnPolicy } from '../src/vault/sealed-column.ts';
import { flipBit, patterned, thrownBy } from './support/bytes.ts';
import { DEK_BYTES, rawContext, rawField } from './support/fields.ts';
import { codeOf } from './support/checkpoints.ts';
import { fieldFromText, fieldToText } from '../src/format/field-text.ts';
import { vaultBench, type VaultBench } from './support/vault.ts';

const NAME = { table: 'integration', column: 'api_key' } as const;
const ROW = '0190b0c0-7000-7000-8000-000000000001';
const INTEGRITY = { code: 'INTEGRITY_FAILURE' };
const INVALID = { code: 'INVALID_ARGUMENT' };

async function primed(): Promise<VaultBench> {
  const bench = vaultBench();
  await bench.vault.prime();
  return bench;
}

describe('a column', () => {
  test.each([
    ['text', 'text', 'sk_live'],
    ['text', 'bytes', patterned(20)],
    ['binary', 'text', 'sk_live'],
    ['binary', 'bytes', patterned(20)],
  ] as const)('with encoding %s seals %s and gives the same back', async (encoding, content, value) => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'column', encoding, content });
    const seal = column.seal.bind(column) as (value: unknown) => string | Uint8Array;
    const open = column.open.bind(column) as (stored: unknown) => { value: unknown; legacy: boolean };
    const stored = seal(value);
    expect(typeof stored).toBe(encoding === 'text' ? 'string' : 'object');
    expect(open(stored)).toEqual({ value, legacy: false });
  });

  test('knows its types', async () => {
    const { vault } = await primed();
    expectTypeOf(vault.column({ ...NAME, bind: 'row', encoding: 'text', content: 'text' })).toEqualTypeOf<SealedColumn<string, string>>();
    expectTypeOf(vault.column({ ...NAME, bind: 'row', encoding: 'binary', content: 'text' })).toEqualTypeOf<SealedColumn<string, Uint8Array>>();
    expectTypeOf(vault.column({ ...NAME, bind: 'row', encoding: 'text', content: 'bytes' })).toEqualTypeOf<SealedColumn<Uint8Array, string>>();
  });

  test('keeps every well-formed string as it is', async () => {
    const { column } = await primed();
    for (const value of ['', '\ufeff', '\ufeffa', 'é', 'e\u0301', '\u0000', '𝄞', 'kf1:', 'kf1:AAAA', '\r\n', 'x'.repeat(16_383)]) {
      expect(column.open(column.seal(value)).value).toBe(value);
    }
  });

  test('seals what is sealed already like anything else', async () => {
    const { column } = await primed();
    const once = column.seal('x');
    expect(column.open(column.open(column.seal(once)).value).value).toBe('x');
  });

  test('makes of a 100-byte secret 264 characters', async () => {
    const { column } = await primed();
    expect(column.seal('x'.repeat(100))).toHaveLength(264);
  });

  test('hides lengths when padded', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'column', encoding: 'binary', content: 'text', padding: true });
    const lengths = ['', 'a', 'x'.repeat(31)].map((value) => column.seal(value).byteLength);
    expect(new Set(lengths)).toEqual(new Set([95 + 32]));
    expect(column.open(column.seal('x'.repeat(31))).value).toBe('x'.repeat(31));
    expect(thrownBy(() => column.seal('x'.repeat(16_352)))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('that binds the row opens a value in its own row only', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'row', encoding: 'text', content: 'text' });
    const sealed = column.seal('x', { row: ROW });
    expect(column.open(sealed, { row: ROW }).value).toBe('x');
    expect((await column.openAsync(await column.sealAsync('y', { row: ROW }), { row: ROW })).value).toBe('y');
    expect(thrownBy(() => column.open(sealed, { row: 'another' }))).toMatchObject(INTEGRITY);
    for (const row of [undefined, '']) {
      const options = row === undefined ? {} : { row };
      expect(thrownBy(() => column.seal('x', options))).toMatchObject(INVALID);
      expect(thrownBy(() => column.open(sealed, options))).toMatchObject(INVALID);
      expect(await codeOf(column.openAsync(sealed, options))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(column.sealAsync('x', options))).toBe('INVALID_ARGUMENT');
    }
  });

  test('that does not bind the row takes none, and opens a value in any row', async () => {
    const { column } = await primed();
    const sealed = column.seal('x');
    expect(thrownBy(() => column.seal('x', { row: ROW }))).toMatchObject(INVALID);
    expect(thrownBy(() => column.open(sealed, { row: ROW }))).toMatchObject(INVALID);
    expect(column.open(sealed).value).toBe('x');
  });

  test.each([
    ['table', { table: 'other' }],
    ['column', { column: 'other' }],
  ])('does not open the value of another %s', async (_, change) => {
    const { vault, column } = await primed();
    const other = vault.column({ ...NAME, ...change, bind: 'column', encoding: 'text', content: 'text' });
    expect(thrownBy(() => other.open(column.seal('x')))).toMatchObject(INTEGRITY);
  });

  test('replays an older value of the same row without noticing: documented', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'row', encoding: 'text', content: 'text' });
    const older = column.seal('older', { row: ROW });
    column.seal('newer', { row: ROW });
    expect(column.open(older, { row: ROW }).value).toBe('older');
  });

  test('names the key of a value, and nothing for what is no value', async () => {
    const { vault, column } = await primed();
    const binary = vault.column({ ...NAME, bind: 'row', encoding: 'binary', content: 'text' });
    const sealed = column.seal('x');
    const field = fieldFromText(sealed) ?? new Uint8Array(0);
    const id = Buffer.from(field.subarray(7, 23)).toString('hex');
    expect(column.dekIdOf(sealed)).toBe(id);
    expect(binary.dekIdOf(field)).toBe(id);
    expect([column.dekIdOf('plain'), column.dekIdOf('kf1:AAAA'), column.dekIdOf(`${sealed}=`)]).toEqual([undefined, undefined, undefined]);
    expect(binary.dekIdOf(patterned(100))).toBeUndefined();
    expect([column.looksSealed(sealed), column.looksSealed('kf1:?'), column.looksSealed('plain')]).toEqual([true, true, false]);
    expect([binary.looksSealed(field), binary.looksSealed(patterned(100))]).toEqual([true, false]);
  });
});

describe('a value that is sealed', () => {
  test.each([
    ['number', 7],
    ['null', null],
    ['undefined', undefined],
    ['array', ['a']],
    ['object with toString', { toString: () => 'a' }],
    ['Buffer', Buffer.from('a')],
  ])('is no %s in a column of text', async (_, value) => {
    const { column } = await primed();
    expect(thrownBy(() => column.seal(value as unknown as string))).toMatchObject(INVALID);
  });

  test.each([['string', 'a'], ['ArrayBuffer', new ArrayBuffer(3)], ['array', [1, 2]], ['Uint16Array', new Uint16Array(2)]])('is no %s in a column of bytes', async (_, value) => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'column', encoding: 'text', content: 'bytes' });
    expect(thrownBy(() => column.seal(value as unknown as Uint8Array))).toMatchObject(INVALID);
  });

  test('has no lone surrogate', async () => {
    const { column } = await primed();
    for (const value of ['\ud800', 'a\udfff', '\udc00\ud800']) expect(thrownBy(() => column.seal(value))).toMatchObject(INVALID);
  });

  test('has at most 16,383 bytes of UTF-8', async () => {
    const { column } = await primed();
    expect(thrownBy(() => column.seal('x'.repeat(16_384)))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(thrownBy(() => column.seal('é'.repeat(8_192)))).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('a stored value of another type than the column keeps', () => {
  test.each([['number', 7], ['null', null], ['undefined', undefined], ['Buffer', Buffer.from('kf1:')]])('is refused: %s for text', async (_, stored) => {
    const { column } = await primed();
    const value = stored as unknown as string;
    for (const run of [() => column.open(value), () => column.dekIdOf(value), () => column.looksSealed(value)]) expect(thrownBy(run)).toMatchObject(INVALID);
    expect(await codeOf(column.openAsync(value))).toBe('INVALID_ARGUMENT');
  });

  test('is refused: a string for bytes', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'column', encoding: 'binary', content: 'text' });
    expect(thrownBy(() => column.open('kf1:' as unknown as Uint8Array))).toMatchObject(INVALID);
  });
});

describe('a strict column', () => {
  test.each(['', 'plain', 'sk_live_1234', 'kf1:', 'kf1:AAAA', 'kf1:not base64', ' kf1:AAAA'])('refuses plaintext: %j', async (stored) => {
    const { column } = await primed();
    expect(thrownBy(() => column.open(stored))).toMatchObject(INTEGRITY);
    expect(await codeOf(column.openAsync(stored))).toBe('INTEGRITY_FAILURE');
  });

  test('refuses plaintext bytes', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'column', encoding: 'binary', content: 'bytes' });
    for (const stored of [new Uint8Array(0), patterned(200), Buffer.from('plain')]) expect(thrownBy(() => column.open(stored))).toMatchObject(INTEGRITY);
  });

  test.each([
    ['padding', (text: string) => `${text}=`],
    ['whitespace before', (text: string) => ` ${text}`],
    ['whitespace behind', (text: string) => `${text} `],
    ['a newline', (text: string) => `${text}\n`],
    ['a plus or slash', (text: string) => `${text.slice(0, -1)}+`],
    ['trailing bits', (text: string) => text.slice(0, -1) + nextBits(text.slice(-1))],
    ['case change', (text: string) => text.slice(0, 4) + swapCase(text.slice(4))],
    ['a capital prefix', (text: string) => text.replace('kf1:', 'KF1:')],
  ])('refuses a text with %s', async (_, change) => {
    const { column } = await primed();
    // 97 bytes: the last character has bits to spare.
    const text = column.seal('ab');
    expect(change(text)).not.toBe(text);
    const error = thrownBy(() => column.open(change(text)));
    expect(error).toMatchObject({ code: expect.stringMatching(/^INTEGRITY_FAILURE$|^KEY_NOT_LOADED$/) as string });
    expect(await codeOf(column.openAsync(change(text)))).toBe('INTEGRITY_FAILURE');
  });

  test('gives every damage the same error, which names neither check nor value', async () => {
    const { column } = await primed();
    const text = column.seal('sk_live_secret');
    const field = fieldFromText(text) ?? new Uint8Array(0);
    const messages = new Set<string>();
    for (const at of [0, 5, 6, 30, 60, 80, field.byteLength - 1]) {
      const error = thrownBy(() => column.open(fieldToText(flipBit(field, at * 8)))) as Error;
      expect(error).toMatchObject(INTEGRITY);
      messages.add(error.message);
    }
    messages.add((thrownBy(() => column.open('plain')) as Error).message);
    expect(messages.size).toBe(1);
    expect([...messages][0]).not.toMatch(/sk_live|kf1:|tag|commitment|padding/);
  });

  test('refuses bytes that are no UTF-8 in a column of text', async () => {
    const { vault } = await primed();
    const bytes = vault.column({ ...NAME, bind: 'column', encoding: 'text', content: 'bytes' });
    const text = vault.column({ ...NAME, bind: 'column', encoding: 'text', content: 'text' });
    for (const invalid of ['80', 'c0af', 'eda080', 'f4908080', '61ff']) {
      const stored = bytes.seal(new Uint8Array(Buffer.from(invalid, 'hex')));
      expect(thrownBy(() => text.open(stored))).toMatchObject(INTEGRITY);
    }
  });

  test('asks for the key of a well-made value that it does not have, and refuses it in the end', async () => {
    const { column } = await primed();
    const foreign = fieldToText(rawField({ key: DEK_BYTES, context: rawContext([['a', 'b']]) }));
    expect(thrownBy(() => column.open(foreign))).toMatchObject({ code: 'KEY_NOT_LOADED' });
    expect(await codeOf(column.openAsync(foreign))).toBe('INTEGRITY_FAILURE');
  });
});

describe('a migrating column', () => {
  async function migrating(): Promise<{ bench: VaultBench; column: SealedColumn<string, string>; reads: () => number }> {
    const bench = await primed();
    const onLegacyRead = vi.fn();
    const column = bench.vault.column({ ...NAME, bind: 'column', encoding: 'text', content: 'text', mode: 'migrating', onLegacyRead });
    return { bench, column, reads: () => onLegacyRead.mock.calls.length };
  }

  test('reads what was never sealed, says so, and counts it', async () => {
    const { bench, column, reads } = await migrating();
    expect(column.open('sk_live')).toEqual({ value: 'sk_live', legacy: true });
    expect(await column.openAsync('')).toEqual({ value: '', legacy: true });
    expect(reads()).toBe(2);
    expect(bench.metrics.measurements.filter(({ name }) => name === 'heliosdb_field_legacy_read_total')).toHaveLength(2);
  });

  test('always seals what it writes, and opens it', async () => {
    const { column, reads } = await migrating();
    for (const value of ['new', 'kf1:AAAA', 'kf1:']) {
      const stored = column.seal(value);
      expect(stored).toMatch(/^kf1:[A-Za-z0-9_-]{127,}$/);
      expect(column.open(stored)).toEqual({ value, legacy: false });
    }
    expect(reads()).toBe(0);
  });

  test.each(['kf1:', 'kf1:AAAA', 'kf1:not base64', 'kf1:sk_live'])('refuses prefixed garbage: %j', async (stored) => {
    const { column, reads } = await migrating();
    expect(thrownBy(() => column.open(stored))).toMatchObject(INTEGRITY);
    expect(await codeOf(column.openAsync(stored))).toBe('INTEGRITY_FAILURE');
    expect(reads()).toBe(0);
  });

  test('refuses a sealed value that was damaged rather than reading it as plaintext', async () => {
    const { column } = await migrating();
    const field = fieldFromText(column.seal('x')) ?? new Uint8Array(0);
    expect(thrownBy(() => column.open(fieldToText(flipBit(field, 400))))).toMatchObject(INTEGRITY);
    expect(thrownBy(() => column.open(`${fieldToText(field)}\n`))).toMatchObject(INTEGRITY);
  });

  test('of bytes reads bytes that do not begin as fields do', async () => {
    const { vault } = await primed();
    const bytes = vault.column({ ...NAME, bind: 'column', encoding: 'binary', content: 'bytes', mode: 'migrating' });
    const text = vault.column({ ...NAME, bind: 'column', encoding: 'binary', content: 'text', mode: 'migrating' });
    const stored = patterned(50);
    const opened = bytes.open(stored);
    expect(opened).toEqual({ value: patterned(50), legacy: true });
    opened.value.fill(0);
    expect(stored).toEqual(patterned(50));
    const utf8 = Buffer.from('é');
    expect(text.open(utf8)).toEqual({ value: 'é', legacy: true });
    expect(utf8.toString()).toBe('é');
    expect(thrownBy(() => text.open(Buffer.of(0xff)))).toMatchObject(INTEGRITY);
    for (const garbage of [Buffer.of(0x8f, 0x4b, 0x46, 0x46), Buffer.concat([Buffer.of(0x8f, 0x4b, 0x46, 0x46), patterned(100)])]) {
      expect(thrownBy(() => bytes.open(garbage))).toMatchObject(INTEGRITY);
    }
  });

  test('reads text into bytes as UTF-8', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'column', encoding: 'text', content: 'bytes', mode: 'migrating' });
    expect(column.open('é')).toEqual({ value: new Uint8Array([0xc3, 0xa9]), legacy: true });
    expect(thrownBy(() => column.open('\ud800'))).toMatchObject(INTEGRITY);
  });

  test('asks for the row of a legacy value too', async () => {
    const { vault } = await primed();
    const column = vault.column({ ...NAME, bind: 'row', encoding: 'text', content: 'text', mode: 'migrating' });
    expect(thrownBy(() => column.open('plain'))).toMatchObject(INVALID);
    expect(column.open('plain', { row: ROW }).legacy).toBe(true);
  });
});

describe('a column policy', () => {
  test.each([
    ['an unknown binding', { bind: 'table' }],
    ['no binding', { bind: undefined }],
    ['an unknown encoding', { encoding: 'hex' }],
    ['an encoding from the prototype', { encoding: 'toString' }],
    ['an unknown content', { content: 'json' }],
    ['no content', { content: undefined }],
    ['an unknown mode', { mode: 'lax' }],
    ['padding that is no boolean', { padding: 'yes' }],
    ['an empty table', { table: '' }],
    ['a column that is no string', { column: 1 }],
    ['a table with a lone surrogate', { table: '\ud800' }],
  ])('is refused with %s', async (_, change) => {
    const { vault } = await primed();
    const policy = { ...NAME, bind: 'column', encoding: 'text', content: 'text', ...change } as unknown as ColumnPolicy<'text', 'text'>;
    expect(thrownBy(() => vault.column(policy))).toMatchObject(INVALID);
  });
});

function swapCase(text: string): string {
  return text.replace(/[a-zA-Z]/g, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()));
}

/** The character whose unused low bits differ. */
function nextBits(character: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return digits.charAt(digits.indexOf(character) ^ 1);
}
