import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ByteReader, MalformedError } from '../src/format/reader.ts';
import { lengthPrefixed, u16, u32, u64, u8 } from '../src/format/writer.ts';
import { patterned, thrownBy } from './support/bytes.ts';
import { hex } from './support/vectors.ts';

function readerOf(text: string): ByteReader {
  return new ByteReader(hex(text.replaceAll(' ', '')));
}

describe('integers', () => {
  test('are read big-endian, front to back', () => {
    const reader = readerOf('ab 0102 fedcba98 0000000100000002 7f');
    expect(reader.u8()).toBe(0xab);
    expect(reader.u16()).toBe(0x0102);
    expect(reader.u32()).toBe(0xfedcba98);
    expect(reader.u64()).toBe(2 ** 32 + 2);
    expect([reader.offset, reader.remaining]).toEqual([15, 1]);
    expect(reader.u8()).toBe(0x7f);
    reader.end();
  });

  test('64 bits go up to 2^53 - 1', () => {
    expect(readerOf('001fffffffffffff').u64()).toBe(Number.MAX_SAFE_INTEGER);
    for (const tooLarge of ['0020000000000000', '0020000000000001', '8000000000000000', 'ffffffffffffffff']) {
      expect(() => readerOf(tooLarge).u64()).toThrow(MalformedError);
    }
  });

  test.each<[string, number, (reader: ByteReader) => number]>([
    ['u8', 1, (reader) => reader.u8()],
    ['u16', 2, (reader) => reader.u16()],
    ['u32', 4, (reader) => reader.u32()],
    ['u64', 8, (reader) => reader.u64()],
  ])('%s is refused while fewer bytes are left', (_, size, read) => {
    for (let length = 0; length < size; length++) {
      expect(() => read(new ByteReader(new Uint8Array(length)))).toThrow(MalformedError);
    }
    expect(read(new ByteReader(new Uint8Array(size)))).toBe(0);
  });

  test('read back what the writers wrote', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xff }), fc.nat({ max: 0xffff }), fc.nat({ max: 0xffffffff }), fc.maxSafeNat(), (a, b, c, d) => {
        const reader = new ByteReader(Buffer.concat([u8(a), u16(b), u32(c), u64(d)]));
        expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.remaining]).toEqual([a, b, c, d, 0]);
      }),
    );
  });
});

describe('taking bytes', () => {
  test('gives a view of the next bytes, also inside a larger buffer', () => {
    const buffer = patterned(20);
    const reader = new ByteReader(buffer.subarray(5, 15));
    expect(reader.remaining).toBe(10);
    expect(reader.take(3)).toEqual(buffer.subarray(5, 8));
    expect(reader.take(0).byteLength).toBe(0);
    const rest = reader.take(7);
    expect(rest).toEqual(buffer.subarray(8, 15));
    expect(rest.buffer).toBe(buffer.buffer);
    reader.end();
  });

  test.each([11, 2 ** 31, 2 ** 32, 2 ** 53, Infinity, -1, -5, NaN])('refuses a length of %d out of 10, and stays where it was', (length) => {
    const reader = new ByteReader(patterned(10));
    reader.take(6);
    expect(() => reader.take(length)).toThrow(MalformedError);
    expect(() => reader.take(5)).toThrow(MalformedError);
    expect(reader.offset).toBe(6);
    expect(reader.take(4)).toEqual(patterned(10).subarray(6));
  });
});

describe('bytes behind a length', () => {
  test.each([[8, '02 aabb'], [16, '0002 aabb'], [32, '00000002 aabb']] as const)('%i bits of length', (bits, text) => {
    const reader = readerOf(text);
    expect(reader.prefixed(bits, 0, 2)).toEqual(Uint8Array.of(0xaa, 0xbb));
    reader.end();
  });

  test('the limits are inclusive', () => {
    expect(readerOf('00').prefixed(8, 0, 0).byteLength).toBe(0);
    expect(readerOf('03 aabbcc').prefixed(8, 3, 3).byteLength).toBe(3);
    expect(() => readerOf('02 aabb').prefixed(8, 3, 5)).toThrow(MalformedError);
    expect(() => readerOf('02 aabb').prefixed(8, 0, 1)).toThrow(MalformedError);
  });

  test.each([
    [8, 'ff'],
    [16, 'ffff'],
    [32, 'ffffffff'],
    [32, '80000000'],
  ] as const)('a length over its cap is refused before anything is sliced (%i bits, %s)', (bits, length) => {
    const input = hex(`${length}aabb`);
    const slices = [vi.spyOn(input, 'subarray'), vi.spyOn(input, 'slice')];
    expect(() => new ByteReader(input).prefixed(bits, 0, 100)).toThrow('length outside its limits');
    for (const slice of slices) expect(slice).not.toHaveBeenCalled();
  });

  test.each([
    [8, '03 aabb'],
    [16, '0003 aabb'],
    [32, '00000003 aabb'],
    [32, 'ffffffff aabb'],
    [8, '01'],
  ] as const)('a length past the end is refused before anything is sliced (%i bits, %s)', (bits, text) => {
    const input = hex(text.replaceAll(' ', ''));
    const slice = vi.spyOn(input, 'subarray');
    expect(() => new ByteReader(input).prefixed(bits, 0, 2 ** 32)).toThrow('truncated');
    expect(slice).not.toHaveBeenCalled();
  });

  test('read back what the writers wrote', () => {
    fc.assert(
      fc.property(fc.constantFrom(8 as const, 16 as const, 32 as const), fc.uint8Array({ maxLength: 255 }), (bits, value) => {
        const reader = new ByteReader(lengthPrefixed(bits, value));
        expect(reader.prefixed(bits, 0, 255)).toEqual(value);
        reader.end();
      }),
    );
  });
});

describe('text', () => {
  test('is strict UTF-8, counted in bytes, and keeps a leading U+FEFF', () => {
    expect(readerOf('05 c3a9e282ac').text(8, 0, 5)).toBe('é€');
    expect(readerOf('04 efbbbf61').text(8, 0, 4)).toBe('\ufeffa');
    expect(readerOf('00').text(8, 0, 5)).toBe('');
    expect(() => readerOf('05 c3a9e282ac').text(8, 0, 4)).toThrow(MalformedError);
  });

  test.each(['ff', 'c0af', 'eda080', 'e282', '80', 'f4908080'])('the malformed bytes %s are refused', (malformed) => {
    expect(() => new ByteReader(lengthPrefixed(8, hex(malformed))).text(8, 0, 255)).toThrow(MalformedError);
  });

  test('must match the pattern if there is one', () => {
    expect(readerOf('03 616263').text(8, 1, 10, /^[a-z]+$/)).toBe('abc');
    expect(() => readerOf('03 614263').text(8, 1, 10, /^[a-z]+$/)).toThrow(MalformedError);
    expect(() => readerOf('04 6162630a').text(8, 1, 10, /^[a-z]+$/)).toThrow(MalformedError);
    expect(() => readerOf('00').text(8, 0, 10, /^[a-z]+$/)).toThrow(MalformedError);
  });
});

describe('the end', () => {
  test('is reached only when nothing is left', () => {
    const reader = readerOf('0102');
    expect(() => {
      reader.end();
    }).toThrow('trailing bytes');
    reader.u8();
    expect(() => {
      reader.end();
    }).toThrow(MalformedError);
    reader.u8();
    reader.end();
    new ByteReader(new Uint8Array(0)).end();
  });
});

describe('a malformed input', () => {
  test('is an error of its own kind, whose message does not depend on the bytes', () => {
    for (const read of [
      (reader: ByteReader): unknown => reader.prefixed(32, 0, 3),
      (reader: ByteReader): unknown => reader.take(9),
      (reader: ByteReader): unknown => reader.text(8, 0, 2),
      (reader: ByteReader): void => {
        reader.end();
      },
    ]) {
      const [one, other] = ['deadbeef', 'cafebabe'].map((text) => thrownBy(() => read(readerOf(text))) as Error);
      expect(one).toBeInstanceOf(MalformedError);
      expect(one?.name).toBe('MalformedError');
      expect(one?.message).toBe(other?.message);
    }
  });
});
