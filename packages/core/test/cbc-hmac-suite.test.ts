import { beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { AES_256_CBC_HMAC_SHA_256, type CbcHmacSuite, cbcHmacSuite } from '../src/crypto/cbc-hmac-suite.ts';
import { FrameOpener } from '../src/crypto/frame-opener.ts';
import { systemRandomSource } from '../src/crypto/random.ts';
import type { MessageCipher } from '../src/crypto/suite.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { flipBit, patterned, secretKey, thrownBy } from './support/bytes.ts';
import { CHUNK, SEALED_CHUNK, encrypted, encryptedBlocks, referenceChunks, referenceKeys, tagged } from './support/reference-cbc.ts';
import { cutAt, same } from './support/reference.ts';

const KEY = patterned(32, 'key');
const SALT = patterned(24, 'salt');
const CONTEXT = patterned(70, 'context');
const KEYS = referenceKeys(KEY, SALT, CONTEXT);
/** Chunks of two blocks, at most four: everything of suite 02 but its size. */
const TINY: CbcHmacSuite = { ...AES_256_CBC_HMAC_SHA_256, chunkBytes: 32, maxFrames: 4 };

function cipher(parameters: CbcHmacSuite = AES_256_CBC_HMAC_SHA_256, salt: Uint8Array = SALT): MessageCipher {
  return cbcHmacSuite(parameters).derive(secretKey(KEY), salt, CONTEXT);
}

function ivOf(index: number): Uint8Array {
  return patterned(16, `iv ${index}`);
}

function seal(plaintext: readonly Uint8Array[], parameters?: CbcHmacSuite, salt?: Uint8Array): Buffer {
  let drawn = 0;
  const sealer = cipher(parameters, salt).sealer({ bytes: () => ivOf(drawn++) });
  return Buffer.concat([...plaintext.flatMap((part) => sealer.push(part)), sealer.end()]);
}

interface Outcome {
  readonly released: Buffer;
  readonly complete: boolean;
}

/** Pushes pieces until one is refused; what a careful reader would have by then. */
function open(pieces: readonly Uint8Array[], parameters?: CbcHmacSuite): Outcome {
  const frames = new FrameOpener(cipher(parameters));
  const released: Uint8Array[] = [];
  for (const piece of pieces) {
    const plaintexts = frames.push(piece);
    if (plaintexts === undefined) return { released: Buffer.concat(released), complete: false };
    released.push(...plaintexts);
  }
  const last = frames.end();
  return { released: Buffer.concat([...released, last ?? new Uint8Array(0)]), complete: last !== undefined };
}

/** Refused, having released nothing but whole chunks that came before. */
function expectRefused(pieces: readonly Uint8Array[], plaintext: Uint8Array, parameters: CbcHmacSuite = AES_256_CBC_HMAC_SHA_256): void {
  const { released, complete } = open(pieces, parameters);
  expect(complete).toBe(false);
  expect(released.byteLength % parameters.chunkBytes).toBe(0);
  expect(same(released, plaintext.subarray(0, released.byteLength))).toBe(true);
}

const SIZES = [0, 1, 15, 16, 17, 31, 32, CHUNK - 17, CHUNK - 16, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK];

describe('suite 02 against an independent implementation', () => {
  test.each(SIZES)('%i bytes give the same chunks, and open', async (size) => {
    const plaintext = patterned(size);
    const chunks = await referenceChunks(KEYS, plaintext, ivOf);
    expect(same(seal([plaintext]), Buffer.concat(chunks))).toBe(true);
    expect(chunks.slice(0, -1).every(({ byteLength }) => byteLength === SEALED_CHUNK)).toBe(true);
    const last = chunks.at(-1)?.byteLength ?? 0;
    expect(last >= 64 && last <= 16_432 && last % 16 === 0).toBe(true);
    const { released, complete } = open([Buffer.concat(chunks)]);
    expect(complete).toBe(true);
    expect(same(released, plaintext)).toBe(true);
  });

  test('the commitment is the same', () => {
    expect(same(cipher().commitment, KEYS.commitment)).toBe(true);
  });

  test('any chunking of the plaintext gives the same message', async () => {
    const plaintext = patterned(40_000);
    const whole = Buffer.concat(await referenceChunks(KEYS, plaintext, ivOf));
    const place = fc.oneof(fc.nat({ max: 40_000 }), fc.constantFrom(CHUNK - 1, CHUNK, CHUNK + 1));
    fc.assert(fc.property(fc.array(place, { maxLength: 10 }), (cuts) => same(seal(cutAt(plaintext, cuts)), whole)));
  });

  test('any chunking of the message gives the same plaintext', () => {
    const plaintext = patterned(40_000);
    const message = seal([plaintext]);
    const place = fc.oneof(fc.nat({ max: message.byteLength }), fc.constantFrom(SEALED_CHUNK - 1, SEALED_CHUNK, SEALED_CHUNK + 1));
    fc.assert(
      fc.property(fc.array(place, { maxLength: 10 }), (cuts) => {
        const { released, complete } = open(cutAt(message, cuts));
        return complete && same(released, plaintext);
      }),
    );
  });
});

describe('the known answers of the specification for suite 02', () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const salt = Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i);
  const spec = cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(secretKey(key), salt, Buffer.from('spec'));
  const iv = Uint8Array.from({ length: 16 }, (_, i) => 0x60 + i);

  function sealed(plaintext: Uint8Array): Buffer {
    const sealer = spec.sealer({ bytes: () => iv });
    return Buffer.concat([...sealer.push(plaintext), sealer.end()]);
  }

  test('commitment', () => {
    expect(Buffer.from(spec.commitment).toString('hex')).toBe('e0690be7da2c4ce4deaf840fdb9b1a1dfd7fced36490ea24eabaa0f3c5ea11fb');
  });

  test('chunks', () => {
    const ivHex = '606162636465666768696a6b6c6d6e6f';
    expect(sealed(new Uint8Array(0)).toString('hex')).toBe(`${ivHex}fe6aa1a872328c12a50e96081daac9c78712ee274dbcacff01bceffe24bf144c45a27844aee6376115e670d2b18875fb`);
    expect(sealed(Buffer.from('keyfold')).toString('hex')).toBe(`${ivHex}7b2ef04cd40cb0d7157b3f591644fd9f81b4d8d0d74417d510ac371ae2db4b68ddb84ab481e8cf01cf8805f51d22b5fe`);
    const edge = sealed(new Uint8Array(CHUNK));
    expect(edge.toString('hex', SEALED_CHUNK - 48, SEALED_CHUNK)).toBe('e9fa553c9ba14f5b9edf7f4bfad3822d787a989ec36487e3196e74a21b8c7ec745d036d3d5e2b87ccebd5931624132be');
    expect(edge.toString('hex', SEALED_CHUNK)).toBe(`${ivHex}fe6aa1a872328c12a50e96081daac9c7723410656b264435da34343169e5faa2fc76706871c33998e4bd58c1384fb8cf`);
  });
});

describe('deriving the keys of suite 02', () => {
  test('uses every bit of key and salt, the context, and the suite', () => {
    const others = [
      ...Array.from({ length: 256 }, (_, bit) => cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(secretKey(flipBit(KEY, bit)), SALT, CONTEXT)),
      ...Array.from({ length: 192 }, (_, bit) => cipher(AES_256_CBC_HMAC_SHA_256, flipBit(SALT, bit))),
      cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(secretKey(KEY), SALT, patterned(71, 'context')),
      cipher({ ...AES_256_CBC_HMAC_SHA_256, label: 'other' }),
    ];
    const message = seal([patterned(5)]);
    for (const other of others) {
      expect(same(other.commitment, KEYS.commitment)).toBe(false);
      expect(other.openFrame(0, message)).toBeUndefined();
    }
  });

  test.each([0, 16, 31, 33, 64])('refuses a key of %i bytes', (size) => {
    const error = thrownBy(() => cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(secretKey(patterned(size)), SALT, CONTEXT));
    expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
  });

  test.each([0, 23, 25])('refuses a salt of %i bytes', (size) => {
    expect(isKeyfoldError(thrownBy(() => cipher(AES_256_CBC_HMAC_SHA_256, patterned(size))), 'INVALID_ARGUMENT')).toBe(true);
  });
});

describe('sealing under suite 02', () => {
  test('draws 16 random bytes for every chunk and for nothing else', () => {
    const asked: number[] = [];
    const sealer = cipher().sealer({
      bytes: (length) => {
        asked.push(length);
        return ivOf(asked.length);
      },
    });
    sealer.push(patterned(2 * CHUNK + 5));
    sealer.end();
    expect(asked).toEqual([16, 16, 16]);
  });

  test('repeats no IV and no ciphertext of equal chunks', () => {
    const sealer = cipher(TINY).sealer(systemRandomSource);
    const chunks = [...sealer.push(new Uint8Array(96)), sealer.end()];
    expect(new Set(chunks.map((chunk) => Buffer.from(chunk.subarray(0, 16)).toString('hex'))).size).toBe(4);
    expect(new Set(chunks.map((chunk) => Buffer.from(chunk.subarray(16, 32)).toString('hex'))).size).toBe(4);
  });

  test('a chunk is used up when push returns: overwriting its memory changes nothing', () => {
    const plaintext = patterned(40_000);
    let drawn = 0;
    const sealer = cipher().sealer({ bytes: () => ivOf(drawn++) });
    const buffer = new Uint8Array(1_000);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < plaintext.byteLength; at += 1_000) {
      buffer.set(plaintext.subarray(at, at + 1_000));
      pieces.push(...sealer.push(buffer));
      buffer.fill(0xaa);
    }
    expect(same(Buffer.concat([...pieces, sealer.end()]), seal([plaintext]))).toBe(true);
  });

  test('one byte less than the largest number of chunks fits, and opens', () => {
    const plaintext = patterned(4 * 32 - 1);
    const message = seal([plaintext], TINY);
    expect(open([message], TINY)).toEqual({ released: Buffer.from(plaintext), complete: true });
    expect(open([message], { ...TINY, maxFrames: 3 }).complete).toBe(false);
  });

  test('a message of too many chunks is refused, and cannot be ended as if nothing had happened', () => {
    for (const parts of [[patterned(4 * 32)], [patterned(100), patterned(28)]]) {
      const sealer = cipher(TINY).sealer(systemRandomSource);
      expect(isKeyfoldError(thrownBy(() => parts.map((part) => sealer.push(part))), 'LIMIT_EXCEEDED')).toBe(true);
      expect(isKeyfoldError(thrownBy(() => sealer.end()), 'CLOSED')).toBe(true);
      expect(isKeyfoldError(thrownBy(() => sealer.push(patterned(1))), 'CLOSED')).toBe(true);
    }
  });

  test('the end comes once', () => {
    const sealer = cipher().sealer(systemRandomSource);
    sealer.end();
    expect(isKeyfoldError(thrownBy(() => sealer.end()), 'CLOSED')).toBe(true);
    expect(isKeyfoldError(thrownBy(() => sealer.push(new Uint8Array(0))), 'CLOSED')).toBe(true);
  });

  test('has 2^38 chunks and no more', () => {
    const { layout } = cipher();
    expect(layout.maxFrames).toBe(2 ** 38);
    const message = seal([patterned(5)]);
    for (const index of [2 ** 38, 2 ** 64, -1, 0.5, NaN]) expect(cipher().openFrame(index, message)).toBeUndefined();
  });
});

describe('a damaged message of suite 02', () => {
  const plaintext = patterned(3 * 32 + 9);
  const message = seal([plaintext], TINY);
  const chunks = cutAt(message, [96, 192, 288]);

  test('is accepted as it was', () => {
    expect(open(chunks, TINY)).toEqual({ released: Buffer.from(plaintext), complete: true });
  });

  test('is refused at every bit flip, and nothing of the chunk that it is in is released', () => {
    for (let bit = 0; bit < message.byteLength * 8; bit++) {
      const { released, complete } = open(cutAt(flipBit(message, bit), [96, 192, 288]), TINY);
      expect(complete).toBe(false);
      expect(same(released, plaintext.subarray(0, Math.floor(bit / 8 / 96) * 32))).toBe(true);
    }
  });

  test('is refused at every truncation', () => {
    for (let length = 0; length < message.byteLength; length++) expectRefused([message.subarray(0, length)], plaintext, TINY);
  });

  test.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1])('of %i bytes is refused when cut around its chunks and tags, in real size', (size) => {
    const whole = seal([patterned(size)]);
    for (const edge of [0, 16, SEALED_CHUNK, SEALED_CHUNK - 32, whole.byteLength - 32, whole.byteLength]) {
      for (const length of [edge - 17, edge - 16, edge - 1, edge, edge + 1, edge + 16]) {
        if (length >= 0 && length < whole.byteLength) expectRefused([whole.subarray(0, length)], patterned(size));
      }
    }
  });

  test.each([1, 15, 16, 32, 48, 64, 96])('is refused when extended by %i bytes', (extra) => {
    for (const size of [0, 5, 31, 32, 96]) {
      expectRefused([seal([patterned(size)], TINY), patterned(extra, 'more')], patterned(size), TINY);
    }
  });

  const [a, b, c, last] = chunks as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const foreign = cutAt(seal([patterned(3 * 32 + 9, 'foreign')], TINY, patterned(24, 'other salt')), [96, 192, 288]);

  test.each([
    ['the first two swapped', [b, a, c, last]],
    ['two in the middle swapped', [a, c, b, last]],
    ['the first duplicated', [a, a, b, c, last]],
    ['one in the middle duplicated', [a, b, b, c, last]],
    ['the last duplicated', [a, b, c, last, last]],
    ['the first dropped', [b, c, last]],
    ['one in the middle dropped', [a, c, last]],
    ['the last dropped', [a, b, c]],
    ['all dropped', []],
    ['a valid full chunk appended', [a, b, c, last, a]],
    ['the last moved to the front', [last, a, b, c]],
    ['a chunk of another message in the middle', [a, ...foreign.slice(1, 2), c, last]],
    ['the end of another message', [a, b, c, ...foreign.slice(3)]],
  ])('with %s is refused', (_, altered) => {
    expectRefused(altered, plaintext, TINY);
    expectRefused([Buffer.concat(altered)], plaintext, TINY);
  });

  test('with the IV of one chunk and the rest of another is refused', () => {
    expectRefused([Buffer.concat([b.subarray(0, 16), a.subarray(16)]), b, c, last], plaintext, TINY);
  });
});

describe('what the tag of suite 02 vouches for', () => {
  const iv = ivOf(0);
  const genuine = patterned(100);
  let sealed: Buffer;

  beforeAll(async () => {
    sealed = await encrypted(KEYS, iv, genuine);
  });

  test('a chunk that is made with the keys opens', async () => {
    expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final: 1, iv, encrypted: sealed }))).toEqual(genuine);
  });

  test.each([1, 2, 255, 256, 2 ** 32, 2 ** 38 - 1])('a chunk of index %i opens there and nowhere else', async (index) => {
    const chunk = await tagged(KEYS, { index, final: 1, iv, encrypted: sealed });
    expect(cipher().openFrame(index, chunk)).toEqual(genuine);
    for (const other of [0, index - 1, index + 1, index % 2 ** 32]) {
      if (other !== index) expect(cipher().openFrame(other, chunk)).toBeUndefined();
    }
  });

  test.each([0, 2, 0x81, 0xff])('a last chunk whose tag says final = %i is refused', async (final) => {
    expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final, iv, encrypted: sealed }))).toBeUndefined();
  });

  test.each([1, 2, 0xff])('a full chunk whose tag says final = %i is refused', async (final) => {
    const full = await encrypted(KEYS, iv, patterned(CHUNK));
    expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final: 0, iv, encrypted: full }))).toEqual(patterned(CHUNK));
    expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final, iv, encrypted: full }))).toBeUndefined();
  });

  test('a chunk under another commitment is refused', async () => {
    const commitment = Buffer.from(patterned(32, 'other'));
    expect(cipher().openFrame(0, await tagged({ ...KEYS, commitment }, { index: 0, final: 1, iv, encrypted: sealed }))).toBeUndefined();
  });

  test.each([1, 8, 15])('a full chunk that pads with %i bytes, and so holds more, is refused', async (padding) => {
    const held = patterned(CHUNK + 16 - padding);
    const long = await encrypted(KEYS, iv, held);
    expect(long.byteLength).toBe(16_400);
    for (const final of [0, 1]) {
      expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final, iv, encrypted: long }))).toBeUndefined();
    }
  });

  test.each([CHUNK + 16, CHUNK + 100, 2 * CHUNK])('a chunk of %i bytes of plaintext is none, whatever its tag says', async (size) => {
    const long = await encrypted(KEYS, iv, patterned(size));
    for (const final of [0, 1]) {
      expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final, iv, encrypted: long }))).toBeUndefined();
    }
  });

  test('a chunk without a block is refused', async () => {
    expect(cipher().openFrame(0, await tagged(KEYS, { index: 0, final: 1, iv, encrypted: new Uint8Array(0) }))).toBeUndefined();
  });

  const paddings: readonly (readonly [string, readonly number[]])[] = [
    ['00', [0x00]],
    ['11', [0x11]],
    ['ff', [0xff]],
    ['02 whose other byte is 01', [0x01, 0x02]],
    ['10 with one wrong byte', [0x0f, ...new Array<number>(15).fill(0x10)]],
  ];

  test.each(paddings)('a chunk whose padding is %s is refused like any other, though its tag is right', async (_, padding) => {
    for (const blocks of [1, 2, 1_024]) {
      const bytes = new Uint8Array(16 * blocks).fill(0x41);
      bytes.set(padding, bytes.byteLength - padding.length);
      const chunk = await tagged(KEYS, { index: 0, final: 1, iv, encrypted: encryptedBlocks(KEYS, iv, bytes) });
      expect(cipher().openFrame(0, chunk)).toBeUndefined();
    }
  });
});
