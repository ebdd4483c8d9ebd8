import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIELD_TEXT_LIMIT, fieldFromText, fieldToText, looksLikeFieldText } from '../src/format/field-text.ts';
import { patterned } from './support/bytes.ts';

const TEXT = fieldToText(patterned(97));

describe('the text form of a field', () => {
  test('is kf1: and unpadded base64url', () => {
    expect(fieldToText(Uint8Array.of(0xfb, 0xff, 0xfe))).toBe('kf1:-__-');
    expect(fieldToText(patterned(195)).length).toBe(264);
    expect(looksLikeFieldText(TEXT)).toBe(true);
  });

  test('is read back, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(fieldFromText(fieldToText(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('is the only string that gives those bytes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const field = fieldFromText(`kf1:${text}`);
        return field === undefined || fieldToText(field) === `kf1:${text}`;
      }),
    );
  });

  test('has at most 21,975 characters', () => {
    expect(FIELD_TEXT_LIMIT).toBe(21_975);
    const largest = fieldToText(patterned(16_478));
    expect(largest.length).toBe(21_975);
    expect(fieldFromText(largest)?.byteLength).toBe(16_478);
    expect(fieldFromText(fieldToText(patterned(16_479)))).toBeUndefined();
    expect(fieldFromText(`kf1:${'A'.repeat(50_000_000)}`)).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['the prefix alone', 'kf1:'],
    ['no prefix', TEXT.slice(4)],
    ['padding', `${TEXT}=`],
    ['padding of two', `${TEXT}==`],
    ['a space before', ` ${TEXT}`],
    ['a space behind', `${TEXT} `],
    ['a space within', `${TEXT.slice(0, 40)} ${TEXT.slice(40)}`],
    ['a newline behind', `${TEXT}\n`],
    ['a carriage return behind', `${TEXT}\r\n`],
    ['a newline within', `${TEXT.slice(0, 80)}\n${TEXT.slice(80)}`],
    ['a zero byte', `${TEXT}\0`],
    ['a plus', `${TEXT.slice(0, -2)}+${TEXT.slice(-1)}`],
    ['a slash', `${TEXT.slice(0, -2)}/${TEXT.slice(-1)}`],
    ['a capital prefix', `KF1:${TEXT.slice(4)}`],
    ['another version', `kf2:${TEXT.slice(4)}`],
    ['a byte order mark', `\ufeff${TEXT}`],
    ['a length that base64 does not have', `kf1:${'A'.repeat(129)}`],
    ['a lone surrogate', `${TEXT}\ud800`],
  ])('is refused with %s', (_, text) => {
    expect(fieldFromText(text)).toBeUndefined();
  });

  test('is refused with bits that no encoder writes behind the last byte', () => {
    expect(fieldFromText('kf1:AA')).toEqual(Buffer.of(0));
    for (const last of ['B', 'P', 'f', '_']) expect(fieldFromText(`kf1:A${last}`)).toBeUndefined();
    expect(fieldFromText('kf1:AAA')).toEqual(Buffer.of(0, 0));
    for (const last of ['B', 'C', 'D', '_']) expect(fieldFromText(`kf1:AA${last}`)).toBeUndefined();
  });
});
