import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  concatBytes,
  constantTimeEqual,
  decodeUtf8,
  encodeUtf8,
  fromBase64Url,
  toBase64Url,
  toHex,
  u64,
  view,
} from '../src/bytes.ts';
import { systemClock } from '../src/clock.ts';
import { systemRandomSource } from '../src/crypto/random.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { lengthPrefixed, u16, u32, u8 } from '../src/format/writer.ts';
import { flipBit, patterned, thrownBy } from './support/bytes.ts';

describe('joining bytes', () => {
  test('keeps the order and every byte', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (parts) => {
        expect(Array.from(concatBytes(...parts))).toEqual(parts.flatMap((part) => Array.from(part)));
      }),
    );
  });

  test('gives a plain Uint8Array with memory of its own, also for one part', () => {
    const part = Buffer.from('abc');
    const joined = concatBytes(part);
    part.fill(0);
    expect(Array.from(joined)).toEqual([0x61, 0x62, 0x63]);
    expect(joined.buffer.byteLength).toBe(3);
    expect(Object.getPrototypeOf(joined)).toBe(Uint8Array.prototype);
    expect(concatBytes().byteLength).toBe(0);
  });
});

describe('comparing in constant time', () => {
  test('is equality of bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6, max: 1 }), fc.uint8Array({ maxLength: 6, max: 1 }), (a, b) => {
        expect(constantTimeEqual(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(constantTimeEqual(a, new Uint8Array(a))).toBe(true);
      }),
    );
  });

  test('sees every bit, and differing lengths are unequal rather than an error', () => {
    const bytes = patterned(32);
    for (let bit = 0; bit < 256; bit++) expect(constantTimeEqual(bytes, flipBit(bytes, bit))).toBe(false);
    expect(constantTimeEqual(bytes, bytes.subarray(1))).toBe(false);
    expect(constantTimeEqual(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });
});

describe('UTF-8', () => {
  test('what is encoded decodes to itself, and a leading U+FEFF stays', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decodeUtf8(encodeUtf8(text, 'The text'))).toBe(text);
      }),
    );
    for (const text of ['', '\ufeff', '\ufeffa', '\u0000', 'é', '\u{1f511}', 'e\u0301']) {
      expect(decodeUtf8(encodeUtf8(text, 'The text'))).toBe(text);
    }
  });

  test('text is not normalised', () => {
    expect(toHex(encodeUtf8('\u00e9', 'x'))).toBe('c3a9');
    expect(toHex(encodeUtf8('e\u0301', 'x'))).toBe('65cc81');
  });

  test.each(['\ud800', '\udc00', 'a\ud800b', '\udc00\ud800', '\u{1f511}\udfff'])('refuses a lone surrogate: case %#', (text) => {
    const error = thrownBy(() => encodeUtf8(text, 'The tenant'));
    expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
    expect((error as Error).message).toContain('The tenant');
  });

  test.each(['80', 'c0af', 'e28228', 'eda080', 'edb080', 'f4908080', 'ff', 'c3', '61e2', 'f09f94'])(
    'refuses the malformed bytes %s, and still decodes the next',
    (malformed) => {
      expect(decodeUtf8(Buffer.from(malformed, 'hex'))).toBeUndefined();
      expect(decodeUtf8(Uint8Array.of(0xac, 0x61))).toBeUndefined();
      expect(decodeUtf8(Uint8Array.of(0x61, 0xc3, 0xa9))).toBe('aé');
    },
  );

  test('bytes that decode are the encoding of what they decode to', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        const text = decodeUtf8(bytes);
        if (text !== undefined) expect(toHex(encodeUtf8(text, 'x'))).toBe(toHex(bytes));
      }),
    );
  });
});

describe('hex and base64url', () => {
  test('are lowercase and unpadded', () => {
    const bytes = Uint8Array.of(0xfb, 0xff, 0xfe, 0x0a);
    expect(toHex(bytes)).toBe('fbfffe0a');
    expect(toBase64Url(bytes)).toBe('-__-Cg');
    expect(toHex(bytes.subarray(1, 3))).toBe('fffe');
    expect(toBase64Url(bytes.subarray(1, 3))).toBe('__4');
  });

  test('base64url reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      }),
    );
  });

  test.each(['Cg==', 'C', 'Ch', 'Cg ', ' Cg', 'C\ng', 'Cg\n', '+/8', 'Cg\u0000', 'C*g', 'Cg-', 'ĀĀ'])(
    'base64url refuses %j',
    (text) => {
      expect(fromBase64Url(text)).toBeUndefined();
    },
  );

  test('any text that base64url accepts is the only text of its bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('AQgwZ09-_=+/ \n')), maxLength: 9 }), (text) => {
        const bytes = fromBase64Url(text);
        if (bytes !== undefined) expect(toBase64Url(bytes)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test('decoded bytes have memory of their own, outside the shared pool', () => {
    expect(fromBase64Url('AAECAw')?.buffer.byteLength).toBe(4);
  });
});

describe('views and integers', () => {
  test('a view is the same memory', () => {
    const bytes = patterned(10).subarray(2, 6);
    view(bytes).writeUInt8(7, 0);
    expect(bytes[0]).toBe(7);
    expect(view(bytes).byteLength).toBe(4);
  });

  test('integers are big-endian', () => {
    expect(toHex(u8(0xab))).toBe('ab');
    expect(toHex(u16(0xabcd))).toBe('abcd');
    expect(toHex(u32(0xfedcba98))).toBe('fedcba98');
    expect(toHex(u64(0))).toBe('0000000000000000');
    expect(toHex(u64(Number.MAX_SAFE_INTEGER))).toBe('001fffffffffffff');
    expect(toHex(u64(2n ** 64n - 1n))).toBe('ffffffffffffffff');
  });

  test.each([-1, -1n, 2n ** 64n, 1.5, NaN])('a 64-bit integer of %s is refused, not wrapped', (value) => {
    expect(() => u64(value)).toThrow(RangeError);
  });

  test('a length prefix says exactly how much follows', () => {
    expect(toHex(lengthPrefixed(8, Uint8Array.of(1, 2)))).toBe('020102');
    expect(toHex(lengthPrefixed(16, Uint8Array.of(1, 2)))).toBe('00020102');
    expect(toHex(lengthPrefixed(32, Uint8Array.of(1, 2)))).toBe('000000020102');
    expect(toHex(lengthPrefixed(16, new Uint8Array(0)))).toBe('0000');
    expect(lengthPrefixed(8, new Uint8Array(255)).byteLength).toBe(256);
    expect(toHex(lengthPrefixed(16, new Uint8Array(65_535)).subarray(0, 2))).toBe('ffff');
  });

  test('more than a length prefix can say is refused, not wrapped', () => {
    expect(() => lengthPrefixed(8, new Uint8Array(256))).toThrow(RangeError);
    expect(() => lengthPrefixed(16, new Uint8Array(65_536))).toThrow(RangeError);
  });
});

describe('the machine', () => {
  test('random bytes have the asked length, memory of their own, and differ', () => {
    const draws = Array.from({ length: 500 }, () => systemRandomSource.bytes(16));
    expect(new Set(draws.map(toHex)).size).toBe(500);
    for (const draw of draws) expect([draw.byteLength, draw.buffer.byteLength]).toEqual([16, 16]);
    expect(Object.getPrototypeOf(draws[0])).toBe(Uint8Array.prototype);
    expect(systemRandomSource.bytes(0).byteLength).toBe(0);
  });

  test('the clock gives whole milliseconds since 1970', () => {
    const now = systemClock.now();
    expect(Number.isSafeInteger(now)).toBe(true);
    expect(new Date(now).getUTCFullYear()).toBeGreaterThanOrEqual(2024);
  });
});
