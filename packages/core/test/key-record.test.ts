import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  KEY_RECORD_LIMITS,
  type KeyRecord,
  type WrappedKey,
  encodeKeyRecordBody,
  parseKeyRecord,
  sameKek,
} from '../src/format/key-record.ts';
import { MalformedError } from '../src/format/reader.ts';
import { patterned, thrownBy } from './support/bytes.ts';
import { fieldRecordOf, recordOf, wrapOf } from './support/records.ts';
import { hex } from './support/vectors.ts';

const MAC = patterned(32, 'mac');

/** One record written from its specification by hand; the offsets are decimal. */
const BY_HAND = [
  '8f4b464b', //                              0  magic
  '01', //                                    4  version
  '03', //                                    5  suite
  '01', //                                    6  use: checkpoint
  '01', //                                    7  state: active
  '000102030405060708090a0b0c0d0e0f', //      8  object id
  '101112131415161718191a1b1c1d1e1f', //     24  DEK id
  '0000000000000002', //                     40  generation 2
  '0000018bcfe56800', //                     48  created: 1,700,000,000,000
  'c0c1c2c3c4c5c6c7c8c9cacbcccdcecf', //     56  binding
  'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf', //         its second half
  '00000003aabbcc', //                       88  lp32 metadata
  '0002', //                                 95  two wraps
  '056c6f63616c', //                         97  lp8 "local"
  '00066f6c642f6b31', //                    103  lp16 "old/k1"
  '0000', //                                111  lp16 ""
  '026731', //                              113  lp8 "g1"
  '0002e1e2', //                            116  lp16 wrapped
  '076177732d6b6d73', //                    120  lp8 "aws-kms"
  '00016b', //                              128  lp16 "k"
  '000139', //                              131  lp16 "9"
  '0173', //                                134  lp8 "s"
  '0001f0', //                              136  lp16 wrapped; the MAC begins at 139
].join('');

const BY_HAND_RECORD: KeyRecord = {
  suite: 3,
  use: 'checkpoint',
  state: 'active',
  objectId: hex('000102030405060708090a0b0c0d0e0f'),
  dekId: hex('101112131415161718191a1b1c1d1e1f'),
  generation: 2,
  created: 1_700_000_000_000,
  binding: hex('c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf'),
  sealedMetadata: hex('aabbcc'),
  wraps: [
    { provider: 'local', keyId: 'old/k1', keyVersion: '', algorithm: 'g1', ciphertext: hex('e1e2') },
    { provider: 'aws-kms', keyId: 'k', keyVersion: '9', algorithm: 's', ciphertext: hex('f0') },
  ],
};

function signed(body: Uint8Array, rest: Uint8Array = new Uint8Array(0)): Uint8Array {
  return new Uint8Array(Buffer.concat([body, MAC, rest]));
}

/** A record with some bytes of it replaced. */
function patched(record: KeyRecord, offset: number, bytes: Uint8Array): Uint8Array {
  const whole = signed(encodeKeyRecordBody(record));
  whole.set(bytes, offset);
  return whole;
}

function refused(bytes: Uint8Array): boolean {
  return thrownBy(() => parseKeyRecord(bytes)) instanceof MalformedError;
}

function unwritable(record: KeyRecord): boolean {
  return thrownBy(() => encodeKeyRecordBody(record)) instanceof Error;
}

/** Bytes of one wrap as its specification has them, whatever the lengths. */
function rawWrap(provider: string, keyId: string, keyVersion: string, algorithm: string, wrapped: Uint8Array): Buffer {
  const lp = (size: 1 | 2, bytes: Uint8Array): Buffer => {
    const length = Buffer.alloc(size);
    length.writeUIntBE(bytes.byteLength, 0, size);
    return Buffer.concat([length, bytes]);
  };
  const text = (value: string): Buffer => Buffer.from(value, 'latin1');
  return Buffer.concat([lp(1, text(provider)), lp(2, text(keyId)), lp(2, text(keyVersion)), lp(1, text(algorithm)), lp(2, wrapped)]);
}

/** A record with these wraps' bytes, count given apart. */
function withRawWraps(count: number, ...wraps: readonly Uint8Array[]): Uint8Array {
  const head = encodeKeyRecordBody(recordOf()).subarray(0, 92 + 74);
  return signed(Buffer.concat([head, Uint8Array.of(count >> 8, count & 0xff), ...wraps]));
}

describe('a key record', () => {
  test('is written as its specification has it, byte for byte', () => {
    expect(Buffer.from(encodeKeyRecordBody(BY_HAND_RECORD)).toString('hex')).toBe(BY_HAND);
  });

  test('is read from bytes that were written by hand', () => {
    const { record, body, mac, rest } = parseKeyRecord(signed(hex(BY_HAND)));
    expect(record).toEqual(BY_HAND_RECORD);
    expect(body.byteLength).toBe(139);
    expect(mac).toEqual(MAC);
    expect(rest.byteLength).toBe(0);
  });

  test('keeps its fields at their offsets', () => {
    const body = encodeKeyRecordBody(BY_HAND_RECORD);
    expect(body.subarray(8, 24)).toEqual(BY_HAND_RECORD.objectId);
    expect(body.subarray(24, 40)).toEqual(BY_HAND_RECORD.dekId);
    expect(body[47]).toBe(2);
    expect(body.subarray(56, 88)).toEqual(BY_HAND_RECORD.binding);
    expect(body.subarray(92, 95)).toEqual(BY_HAND_RECORD.sealedMetadata);
  });

  test('round-trips whatever its limits permit', () => {
    const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
    const printable = (min: number, max: number): fc.Arbitrary<string> =>
      fc.array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: min, maxLength: max }).map((codes) => String.fromCharCode(...codes));
    const wrap: fc.Arbitrary<WrappedKey> = fc.record({
      provider: fc.stringMatching(/^[a-z0-9-]{1,32}$/),
      keyId: printable(1, 60),
      keyVersion: printable(0, 20),
      algorithm: printable(1, 64),
      ciphertext: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    });
    const common = {
      dekId: bytes(16),
      generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      created: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      binding: bytes(32),
      wraps: fc.uniqueArray(wrap, { minLength: 1, maxLength: 16, comparator: sameKek }),
    };
    const record: fc.Arbitrary<KeyRecord> = fc.oneof(
      fc.record({
        ...common,
        suite: fc.constantFrom(1, 2, 3),
        use: fc.constant('checkpoint' as const),
        state: fc.constant('active' as const),
        objectId: bytes(16),
        sealedMetadata: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      }),
      fc.record({
        ...common,
        suite: fc.constant(1),
        use: fc.constantFrom('field' as const, 'index-root' as const, 'audit' as const),
        state: fc.constantFrom('active' as const, 'decrypt-only' as const),
        objectId: fc.constant(new Uint8Array(16)),
        sealedMetadata: fc.constant(new Uint8Array(0)),
      }),
    );
    fc.assert(
      fc.property(record, fc.uint8Array({ maxLength: 50 }), (original, rest) => {
        const body = encodeKeyRecordBody(original);
        const parsed = parseKeyRecord(signed(body, rest));
        expect(parsed.record).toEqual(original);
        expect(parsed.body).toEqual(body);
        expect(parsed.mac).toEqual(MAC);
        expect(parsed.rest).toEqual(rest);
      }),
    );
  });

  test('is refused at every truncation', () => {
    const whole = signed(hex(BY_HAND));
    for (let length = 0; length < whole.byteLength; length++) expect(refused(whole.subarray(0, length))).toBe(true);
  });

  test('leaves what stands behind it as the rest', () => {
    const rest = patterned(100, 'inline data');
    expect(parseKeyRecord(signed(hex(BY_HAND), rest)).rest).toEqual(rest);
  });

  test('parses arbitrary damage or refuses it as malformed, and throws nothing else', () => {
    const whole = signed(hex(BY_HAND));
    const damage = fc.array(fc.tuple(fc.nat({ max: whole.byteLength - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, (patches) => {
        const damaged = new Uint8Array(whole);
        for (const [at, value] of patches) damaged[at] = value;
        try {
          parseKeyRecord(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([0, 1, 2, 3, 4])('is refused when byte %i of magic and version is another', (offset) => {
    const right = hex(BY_HAND)[offset];
    for (let value = 0; value < 256; value++) {
      if (value !== right) expect(refused(patched(BY_HAND_RECORD, offset, Uint8Array.of(value)))).toBe(true);
    }
  });

  test.each([0x00, 0x04, 0xff])('is refused with the unknown suite %i', (suite) => {
    expect(refused(patched(BY_HAND_RECORD, 5, Uint8Array.of(suite)))).toBe(true);
    expect(unwritable(recordOf({ suite }))).toBe(true);
  });

  test.each([0x00, 0x05, 0xff])('is refused with the unknown use %i', (use) => {
    expect(refused(patched(BY_HAND_RECORD, 6, Uint8Array.of(use)))).toBe(true);
  });

  test.each([0x00, 0x03, 0xff])('is refused with the unknown state %i', (state) => {
    expect(refused(patched(BY_HAND_RECORD, 7, Uint8Array.of(state)))).toBe(true);
  });

  test('names the four uses and two states by their bytes', () => {
    const uses = ['field', 'index-root', 'audit'] as const;
    expect(uses.map((use) => encodeKeyRecordBody(fieldRecordOf({ use }))[6])).toEqual([2, 3, 4]);
    expect(encodeKeyRecordBody(fieldRecordOf({ state: 'decrypt-only' }))[7]).toBe(2);
  });

  test('has generations from 1 to 2^53 - 1', () => {
    for (const generation of [1, 2 ** 53 - 1]) {
      expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ generation })))).record.generation).toBe(generation);
    }
    for (const generation of [0, -1, 1.5, 2 ** 53, Number.NaN]) expect(unwritable(recordOf({ generation }))).toBe(true);
    expect(refused(patched(BY_HAND_RECORD, 40, hex('0000000000000000')))).toBe(true);
    expect(refused(patched(BY_HAND_RECORD, 40, hex('0020000000000000')))).toBe(true);
    expect(refused(patched(BY_HAND_RECORD, 40, hex('ffffffffffffffff')))).toBe(true);
  });

  test('has a creation time from 0 to 2^53 - 1', () => {
    for (const created of [0, 2 ** 53 - 1]) {
      expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ created })))).record.created).toBe(created);
    }
    for (const created of [-1, 0.5, 2 ** 53]) expect(unwritable(recordOf({ created }))).toBe(true);
    expect(refused(patched(BY_HAND_RECORD, 48, hex('0020000000000000')))).toBe(true);
  });

  test('has sealed metadata up to its cap and not a byte more', () => {
    const limit = KEY_RECORD_LIMITS.sealedMetadataBytes;
    expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ sealedMetadata: patterned(limit) })))).record.sealedMetadata.byteLength).toBe(65_536);
    expect(unwritable(recordOf({ sealedMetadata: patterned(limit + 1) }))).toBe(true);
    const head = encodeKeyRecordBody(recordOf()).subarray(0, 88);
    const tooLong = Buffer.concat([head, hex('00010001'), patterned(limit + 1), Uint8Array.of(0, 1), rawWrap('p', 'k', '', 'a', Uint8Array.of(1))]);
    expect(refused(signed(tooLong))).toBe(true);
    expect(refused(patched(recordOf(), 88, hex('ffffffff')))).toBe(true);
  });

  test.each([
    ['provider', 1, 32],
    ['keyId', 1, 2_048],
    ['keyVersion', 0, 256],
    ['algorithm', 1, 64],
  ] as const)('has a %s of %i to %i characters', (field, min, max) => {
    for (const length of [min, max]) {
      const wrap = wrapOf({ [field]: 'x'.repeat(length) });
      expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ wraps: [wrap] })))).record.wraps).toEqual([wrap]);
    }
    for (const length of [min - 1, max + 1].filter((wrong) => wrong >= 0)) {
      const name = (of: keyof WrappedKey, usual: string): string => (of === field ? 'x'.repeat(length) : usual);
      expect(unwritable(recordOf({ wraps: [wrapOf({ [field]: 'x'.repeat(length) })] }))).toBe(true);
      const raw = rawWrap(name('provider', 'p'), name('keyId', 'k'), name('keyVersion', '1'), name('algorithm', 'a'), Uint8Array.of(1));
      expect(refused(withRawWraps(1, raw))).toBe(true);
    }
  });

  test('has a wrapped key of 1 to 8,192 bytes', () => {
    for (const length of [1, 8_192]) {
      const wrap = wrapOf({ ciphertext: patterned(length) });
      expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ wraps: [wrap] })))).record.wraps).toEqual([wrap]);
    }
    for (const length of [0, 8_193]) {
      expect(unwritable(recordOf({ wraps: [wrapOf({ ciphertext: patterned(length) })] }))).toBe(true);
      expect(refused(withRawWraps(1, rawWrap('p', 'k', '1', 'a', patterned(length))))).toBe(true);
    }
    expect(unwritable(recordOf({ wraps: [wrapOf({ ciphertext: patterned(65_536) })] }))).toBe(true);
  });

  test.each(['AWS', 'aws_kms', 'a b', 'aws\n', 'äws'])('refuses the provider %j', (provider) => {
    expect(unwritable(recordOf({ wraps: [wrapOf({ provider })] }))).toBe(true);
    expect(refused(withRawWraps(1, rawWrap(provider, 'k', '1', 'a', Uint8Array.of(1))))).toBe(true);
  });

  test.each(['keyId', 'keyVersion', 'algorithm'] as const)('refuses a %s that is not printable ASCII', (field) => {
    for (const text of ['a\u0000', 'a\n', '\u007f', '\u001f', 'ä', '\ud800', '🔑']) {
      expect(unwritable(recordOf({ wraps: [wrapOf({ [field]: text })] }))).toBe(true);
    }
    const name = (of: keyof WrappedKey, usual: string, byte: string): string => (of === field ? byte : usual);
    for (const byte of ['\u0000', '\u001f', '\u007f', '\u0080', '\u00ff']) {
      expect(refused(withRawWraps(1, rawWrap('p', name('keyId', 'k', byte), name('keyVersion', '1', byte), name('algorithm', 'a', byte), Uint8Array.of(1))))).toBe(true);
    }
  });

  test('has 1 to 16 wraps', () => {
    const wraps = Array.from({ length: 17 }, (_, index) => wrapOf({ keyVersion: String(index) }));
    expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ wraps: wraps.slice(0, 16) })))).record.wraps).toHaveLength(16);
    expect(unwritable(recordOf({ wraps }))).toBe(true);
    expect(unwritable(recordOf({ wraps: [] }))).toBe(true);
    const raw = wraps.map((wrap) => rawWrap(wrap.provider, wrap.keyId, wrap.keyVersion, wrap.algorithm, wrap.ciphertext));
    expect(refused(withRawWraps(17, ...raw))).toBe(true);
    expect(refused(withRawWraps(0))).toBe(true);
    expect(refused(withRawWraps(0xffff, ...raw))).toBe(true);
  });

  test('has no two wraps by the same version of the same key', () => {
    const twins = [wrapOf(), wrapOf({ algorithm: 'b', ciphertext: Uint8Array.of(2) })];
    expect(unwritable(recordOf({ wraps: twins }))).toBe(true);
    const raw = rawWrap('local', 'k', '1', 'a', Uint8Array.of(1));
    expect(refused(withRawWraps(2, raw, raw))).toBe(true);
    for (const other of [wrapOf({ provider: 'aws-kms' }), wrapOf({ keyId: 'l' }), wrapOf({ keyVersion: '' })]) {
      const wraps = [wrapOf(), other];
      expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ wraps })))).record.wraps).toEqual(wraps);
    }
  });

  test('keeps the order of its wraps', () => {
    const wraps = ['3', '1', '2'].map((keyVersion) => wrapOf({ keyVersion }));
    const { record } = parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ wraps }))));
    expect(record.wraps.map((wrap) => wrap.keyVersion)).toEqual(['3', '1', '2']);
  });

  test('as large as its parts permit stays within what readers allow for', () => {
    const wraps = Array.from({ length: 16 }, (_, index) => ({
      provider: 'p'.repeat(32),
      keyId: 'k'.repeat(2_048),
      keyVersion: String(index).padStart(256, '0'),
      algorithm: 'a'.repeat(64),
      ciphertext: patterned(8_192),
    }));
    const whole = signed(encodeKeyRecordBody(recordOf({ sealedMetadata: patterned(65_536), wraps })));
    expect(whole.byteLength).toBe(235_262);
    expect(whole.byteLength).toBeLessThanOrEqual(KEY_RECORD_LIMITS.recordBytes);
    expect(parseKeyRecord(whole).record.wraps).toHaveLength(16);
  });

  describe('of a checkpoint', () => {
    test('is always active', () => {
      expect(unwritable(recordOf({ state: 'decrypt-only' }))).toBe(true);
      expect(refused(patched(recordOf(), 7, Uint8Array.of(2)))).toBe(true);
    });

    test('may be of any known suite', () => {
      for (const suite of [1, 2, 3]) expect(parseKeyRecord(signed(encodeKeyRecordBody(recordOf({ suite })))).record.suite).toBe(suite);
    });

    test('always has metadata', () => {
      expect(unwritable(recordOf({ sealedMetadata: new Uint8Array(0) }))).toBe(true);
    });
  });

  describe.each(['field', 'index-root', 'audit'] as const)('of use %s', (use) => {
    test('has suite 01', () => {
      for (const suite of [2, 3]) {
        expect(unwritable(fieldRecordOf({ use, suite }))).toBe(true);
        expect(refused(patched(fieldRecordOf({ use }), 5, Uint8Array.of(suite)))).toBe(true);
      }
    });

    test('has zeros for an object id', () => {
      expect(unwritable(fieldRecordOf({ use, objectId: patterned(16) }))).toBe(true);
      for (const offset of [8, 23]) expect(refused(patched(fieldRecordOf({ use }), offset, Uint8Array.of(1)))).toBe(true);
    });

    test('has no metadata', () => {
      expect(unwritable(fieldRecordOf({ use, sealedMetadata: Uint8Array.of(1) }))).toBe(true);
    });

    test('may be decrypt-only', () => {
      const record = fieldRecordOf({ use, state: 'decrypt-only' });
      expect(parseKeyRecord(signed(encodeKeyRecordBody(record))).record).toEqual(record);
    });
  });

  describe('that would be read otherwise than it was meant is not written', () => {
    test.each([
      ['an object id of 15 bytes', { objectId: patterned(15) }],
      ['ids of 15 and 17 bytes', { objectId: patterned(15), dekId: patterned(17) }],
      ['a binding of 33 bytes', { binding: patterned(33) }],
      ['a suite of more than a byte', { suite: 0x101 }],
    ])('%s', (_, fields) => {
      expect(unwritable(recordOf(fields))).toBe(true);
    });

    test('more wraps than their count can say', () => {
      const wraps = Array.from({ length: 65_537 }, (_, index) => wrapOf({ keyVersion: String(index) }));
      expect(unwritable(recordOf({ wraps }))).toBe(true);
    });
  });
});
