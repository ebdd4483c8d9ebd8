import { createCipheriv, createHash, createHmac, webcrypto } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fullFrameBytes } from '../src/crypto/frame-layout.ts';
import {
  AES_256_GCM_1M,
  COBBLESTONE_256,
  ciphertextLength,
  commitmentMatches,
  deriveFrameKey,
  openFrame,
  sealFrame,
  type FrameKey,
  type FramedSuite,
} from '../src/crypto/framed-aead.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { flipBit, patterned, secretKey, thrownBy } from './support/bytes.ts';
import { describeVectors, hex } from './support/vectors.ts';

const F = 1_048_576;
const KEY = patterned(32, 'key');
const SALT = patterned(24, 'salt');
const CONTEXT = patterned(50, 'context');

/** Suite 03 from its specification, over offsets of the object instead of frame indices. */
async function referenceObject(
  key: Uint8Array,
  header: Uint8Array,
  salt: Uint8Array,
  context: Uint8Array,
  plaintext: Uint8Array,
): Promise<Buffer> {
  const info = Buffer.concat([Buffer.from('keyfold/aes-256-gcm-1m/v1\0', 'latin1'), salt, context]);
  const first = createHmac('sha512', key).update(info).update('\u0001').digest();
  const second = createHmac('sha512', key).update(first).update(info).update('\u0002').digest();
  const okm = Buffer.concat([first, second]);
  const baseNonce = BigInt(`0x${okm.toString('hex', 32, 44)}`);
  const gcm = await webcrypto.subtle.importKey('raw', okm.subarray(0, 32), 'AES-GCM', false, ['encrypt']);

  let object = Buffer.concat([header, salt, okm.subarray(44, 76)]);
  let rest = Buffer.from(plaintext);
  for (;;) {
    const frame = Math.floor(object.byteLength / F);
    const room = (frame + 1) * F - object.byteLength - 16;
    const part = rest.subarray(0, room);
    rest = rest.subarray(part.byteLength);
    const sealed = await webcrypto.subtle.encrypt(
      { name: 'AES-GCM', iv: bigNonce(baseNonce, frame), tagLength: 128 },
      gcm,
      part,
    );
    object = Buffer.concat([object, new Uint8Array(sealed)]);
    if (object.byteLength % F !== 0) return object;
  }
}

function bigNonce(base: bigint, index: number | bigint): Buffer {
  return Buffer.from((base ^ BigInt(index)).toString(16).padStart(24, '0'), 'hex');
}

/** Frames as upper layers cut them: full ones while they fill, then the rest. */
function sealAll(frameKey: FrameKey, plaintext: Uint8Array): Buffer {
  const frames: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; ; index++) {
    const capacity = fullFrameBytes(frameKey.suite, index) - 16;
    frames.push(...sealFrame(frameKey, index, [plaintext.subarray(at, at + capacity)]));
    at += capacity;
    if (at > plaintext.byteLength) return Buffer.concat(frames);
  }
}

/** The plaintext of whole frames, or undefined as soon as one is refused. */
function openAll(frameKey: FrameKey, frames: Uint8Array): Buffer | undefined {
  const plaintexts: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; ; index++) {
    const full = fullFrameBytes(frameKey.suite, index);
    const plaintext = openFrame(frameKey, index, frames.subarray(at, at + full));
    if (plaintext === undefined) return undefined;
    plaintexts.push(plaintext);
    if (frames.byteLength - at < full) return Buffer.concat(plaintexts);
    at += full;
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

describe('suite 03 against an independent implementation', () => {
  const sizes = [
    0, 1, 15, 16, 17, 65_536,
    F - 129, F - 128, F - 113, F - 112, F - 111, F - 97, F - 96, F - 16, F - 1, F, F + 1,
    2 * F - 129, 2 * F - 128, 2 * F - 127, 2 * F,
    3 * F - 145, 3 * F - 144, 3 * F - 143,
  ];

  test.each(sizes)('a payload of %i bytes gives the same object, and opens', async (size) => {
    const header = patterned(40, 'header');
    const plaintext = patterned(size);
    const expected = await referenceObject(KEY, header, SALT, CONTEXT, plaintext);

    const frameKey = deriveFrameKey(AES_256_GCM_1M, secretKey(KEY), SALT, CONTEXT);
    const frames = sealAll(frameKey, plaintext);
    const object = Buffer.concat([header, SALT, frameKey.commitment, frames]);
    expect(object.byteLength).toBe(expected.byteLength);
    expect(same(object, expected)).toBe(true);
    expect(ciphertextLength(AES_256_GCM_1M, size)).toBe(expected.byteLength - 96);
    expect(same(openAll(frameKey, expected.subarray(96)), plaintext)).toBe(true);
  });

  test('an object never ends on a multiple of the frame size', async () => {
    for (const size of [F - 113, F - 112, F - 111, 2 * F - 128]) {
      const object = await referenceObject(KEY, new Uint8Array(40), SALT, CONTEXT, patterned(size));
      expect(object.byteLength % F).not.toBe(0);
    }
  });
});

describe('the known answers of the specification for suite 03', () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const salt = Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i);
  const frameKey = deriveFrameKey(AES_256_GCM_1M, secretKey(key), salt, Buffer.from('spec'));

  test('derivation', () => {
    expect(frameKey.key.export().toString('hex')).toBe('3ac6f9e02edda3b7b3b7cb6acb39d086b0004dc1ca441fb89f073e581b998136');
    expect(Buffer.from(frameKey.nonce).toString('hex')).toBe('25e15be5245da9238404a409');
    expect(Buffer.from(frameKey.commitment).toString('hex')).toBe('13a8f640bb634ced847738beb92dfe9f21a3ec497d75cd73823fd498c52d1156');
  });

  test('frames', () => {
    expect(sealAll(frameKey, new Uint8Array(0)).toString('hex')).toBe('3f94f46b2d49ddb9f14d9c997189bb2d');
    expect(sealAll(frameKey, Buffer.from('keyfold')).toString('hex')).toBe('c82c2bf8d516e391884cb2e686532fbe106e8544988737');
    const edge = sealAll(frameKey, new Uint8Array(F - 112));
    expect(edge.toString('hex', F - 112)).toBe('74fbcca457c80a3d6be96a55ab3cbfbe121b36994e91b39fa1ffa559746e610d');
    expect(createHash('sha256').update(edge).digest('hex')).toBe('9d42a15e2c625ebd97f982de2517b75ed0764243eaed832d7fbc29c34a1f2581');
  });
});

describe('deriving a frame key', () => {
  test('uses every bit of key, salt and context, and the suite', () => {
    const base = deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, CONTEXT);
    const others = [
      deriveFrameKey(AES_256_GCM_1M, secretKey(KEY), SALT, CONTEXT),
      deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, patterned(51, 'context')),
      deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, new Uint8Array(0)),
      ...Array.from({ length: 256 }, (_, bit) => deriveFrameKey(COBBLESTONE_256, secretKey(flipBit(KEY, bit)), SALT, CONTEXT)),
      ...Array.from({ length: 192 }, (_, bit) => deriveFrameKey(COBBLESTONE_256, secretKey(KEY), flipBit(SALT, bit), CONTEXT)),
      ...Array.from({ length: 400 }, (_, bit) => deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, flipBit(CONTEXT, bit))),
    ];
    for (const other of others) {
      expect(commitmentMatches(base, other.commitment)).toBe(false);
      expect(base.key.equals(other.key)).toBe(false);
      expect(same(base.nonce, other.nonce)).toBe(false);
    }
    expect(commitmentMatches(base, deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, CONTEXT).commitment)).toBe(true);
  });

  test('gives 32 bytes of key, 12 of nonce and 32 of commitment, none of which share memory', () => {
    const { key, nonce, commitment } = deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, CONTEXT);
    expect(key.symmetricKeySize).toBe(32);
    expect([nonce.byteLength, nonce.buffer.byteLength]).toEqual([12, 12]);
    expect([commitment.byteLength, commitment.buffer.byteLength]).toEqual([32, 32]);
  });

  test.each([0, 16, 31, 33, 64])('refuses a key of %i bytes', (size) => {
    const error = thrownBy(() => deriveFrameKey(COBBLESTONE_256, secretKey(patterned(size)), SALT, CONTEXT));
    expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
  });

  test.each([0, 23, 25])('refuses a salt of %i bytes, which would shift into the context', (size) => {
    const error = thrownBy(() => deriveFrameKey(COBBLESTONE_256, secretKey(KEY), patterned(size), CONTEXT));
    expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
  });

  test('a commitment of another length, or with any bit changed, does not match', () => {
    const frameKey = deriveFrameKey(AES_256_GCM_1M, secretKey(KEY), SALT, CONTEXT);
    const { commitment } = frameKey;
    expect(commitmentMatches(frameKey, new Uint8Array(commitment))).toBe(true);
    for (let bit = 0; bit < 256; bit++) expect(commitmentMatches(frameKey, flipBit(commitment, bit))).toBe(false);
    expect(commitmentMatches(frameKey, commitment.subarray(0, 31))).toBe(false);
    expect(commitmentMatches(frameKey, new Uint8Array(33))).toBe(false);
    expect(commitmentMatches(frameKey, new Uint8Array(0))).toBe(false);
  });
});

describe('the nonce of a frame', () => {
  const bases = ['000000000000000000000000', 'ffffffffffffffffffffffff', '0123456789abcdeffedcba98'];
  const indices = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 37 + 5, 2 ** 38 - 1];

  test.each(bases.flatMap((base) => indices.map((index) => ({ base, index }))))(
    '$base xor uint96($index)',
    ({ base, index }) => {
      const frameKey: FrameKey = {
        suite: COBBLESTONE_256,
        key: secretKey(KEY),
        nonce: hex(base),
        commitment: new Uint8Array(32),
      };
      const plaintext = patterned(33);
      const cipher = createCipheriv('aes-256-gcm', KEY, bigNonce(BigInt(`0x${base}`), index), { authTagLength: 16 });
      const expected = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
      expect(same(Buffer.concat(sealFrame(frameKey, index, [plaintext])), expected)).toBe(true);
      expect(same(openFrame(frameKey, index, expected), plaintext)).toBe(true);
      expect(openFrame(frameKey, index === 0 ? 1 : index - 1, expected)).toBeUndefined();
      expect(frameKey.nonce).toEqual(hex(base));
    },
  );

  test('agrees with integer arithmetic for any index of suite 01', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.nat({ max: 2 ** 38 - 1 }), (nonce, index) => {
        const frameKey: FrameKey = { suite: COBBLESTONE_256, key: secretKey(KEY), nonce, commitment: new Uint8Array(32) };
        const iv = bigNonce(BigInt(`0x${Buffer.from(nonce).toString('hex')}`), index);
        const cipher = createCipheriv('aes-256-gcm', KEY, iv, { authTagLength: 16 });
        cipher.final();
        expect(same(Buffer.concat(sealFrame(frameKey, index, [])), cipher.getAuthTag())).toBe(true);
      }),
    );
  });

  test.each([
    { suite: COBBLESTONE_256, index: 2 ** 38 },
    { suite: COBBLESTONE_256, index: 2 ** 64 },
    { suite: AES_256_GCM_1M, index: 2 ** 32 },
    { suite: AES_256_GCM_1M, index: -1 },
    { suite: AES_256_GCM_1M, index: 0.5 },
    { suite: AES_256_GCM_1M, index: NaN },
    { suite: AES_256_GCM_1M, index: Infinity },
  ])('suite $suite.id has no frame $index: it is neither sealed nor opened', ({ suite, index }) => {
    const frameKey = deriveFrameKey(suite, secretKey(KEY), SALT, CONTEXT);
    expect(isKeyfoldError(thrownBy(() => sealFrame(frameKey, index, [])), 'LIMIT_EXCEEDED')).toBe(true);
    expect(openFrame(frameKey, index, patterned(32))).toBeUndefined();
  });

  test.each([COBBLESTONE_256, AES_256_GCM_1M])('the last frame of suite $id can be sealed and opened', (suite) => {
    const frameKey = deriveFrameKey(suite, secretKey(KEY), SALT, CONTEXT);
    const frame = Buffer.concat(sealFrame(frameKey, suite.maxFrames - 1, [patterned(5)]));
    expect(same(openFrame(frameKey, suite.maxFrames - 1, frame), patterned(5))).toBe(true);
  });
});

describe('sealing and opening one frame', () => {
  const frameKey = deriveFrameKey(AES_256_GCM_1M, secretKey(KEY), SALT, CONTEXT);

  test('how the plaintext is cut into pieces makes no difference', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), fc.nat({ max: 1000 }), (parts, index) => {
        const whole = Buffer.concat(parts);
        const frame = Buffer.concat(sealFrame(frameKey, index, parts));
        expect(frame.byteLength).toBe(whole.byteLength + 16);
        expect(same(frame, Buffer.concat(sealFrame(frameKey, index, [whole])))).toBe(true);
        expect(same(openFrame(frameKey, index, frame), whole)).toBe(true);
      }),
    );
  });

  test('every bit flip is refused', () => {
    const frame = Buffer.concat(sealFrame(frameKey, 3, [patterned(20)]));
    for (let bit = 0; bit < frame.byteLength * 8; bit++) {
      expect(openFrame(frameKey, 3, flipBit(frame, bit))).toBeUndefined();
    }
  });

  test('every truncation is refused, down to nothing, and so are shortened tags', () => {
    const frame = Buffer.concat(sealFrame(frameKey, 3, [patterned(20)]));
    for (let length = 0; length < frame.byteLength; length++) {
      expect(openFrame(frameKey, 3, frame.subarray(0, length))).toBeUndefined();
      expect(openFrame(frameKey, 3, frame.subarray(frame.byteLength - length))).toBeUndefined();
    }
  });

  test('a frame opens only at its index and only with its suite', () => {
    const frame = Buffer.concat(sealFrame(frameKey, 3, [patterned(20)]));
    for (let index = 0; index < 300; index++) {
      expect(openFrame(frameKey, index, frame) === undefined).toBe(index !== 3);
    }
    expect(openFrame(deriveFrameKey(COBBLESTONE_256, secretKey(KEY), SALT, CONTEXT), 3, frame)).toBeUndefined();
  });

  test('the plaintext is a plain Uint8Array with memory of its own', () => {
    const plaintext = patterned(20);
    const frame = Buffer.concat(sealFrame(frameKey, 3, [plaintext]));
    const opened = openFrame(frameKey, 3, frame);
    expect(Object.getPrototypeOf(opened)).toBe(Uint8Array.prototype);
    expect(opened?.buffer.byteLength).toBe(20);
    frame.fill(0);
    expect(same(opened, plaintext)).toBe(true);
  });

  test('sealing and opening leave their inputs as they were', () => {
    const plaintext = patterned(100);
    const frame = Buffer.concat(sealFrame(frameKey, 3, [plaintext]));
    const copy = Buffer.from(frame);
    openFrame(frameKey, 3, frame);
    openFrame(frameKey, 4, frame);
    expect(same(plaintext, patterned(100))).toBe(true);
    expect(same(frame, copy)).toBe(true);
  });
});

describe('the length of a ciphertext', () => {
  test('is what the specification says at the edges', () => {
    const c = 16_384;
    const expected01 = [[0, 16], [1, 17], [c - 1, c + 15], [c, c + 32], [c + 1, c + 33], [2 * c - 1, 2 * c + 31], [2 * c, 2 * c + 48]];
    const expected03 = [
      [0, 16], [1, 17], [F - 113, F - 97], [F - 112, F - 80], [F - 111, F - 79],
      [2 * F - 129, 2 * F - 97], [2 * F - 128, 2 * F - 80], [2 * F - 127, 2 * F - 79], [3 * F - 144, 3 * F - 80],
    ];
    expect(expected01.map(([size = NaN]) => [size, ciphertextLength(COBBLESTONE_256, size)])).toEqual(expected01);
    expect(expected03.map(([size = NaN]) => [size, ciphertextLength(AES_256_GCM_1M, size)])).toEqual(expected03);
  });

  test('full frames align with the object in suite 03 and have one size in suite 01', () => {
    expect([0, 1, 2, 2 ** 38 - 1].map((index) => fullFrameBytes(COBBLESTONE_256, index))).toEqual([16_400, 16_400, 16_400, 16_400]);
    expect([0, 1, 2, 2 ** 32 - 1].map((index) => fullFrameBytes(AES_256_GCM_1M, index))).toEqual([F - 96, F, F, F]);
  });

  const suites: FramedSuite[] = [COBBLESTONE_256, AES_256_GCM_1M];

  test.each(suites)('suite $id: equals the sum of the frames', (suite) => {
    fc.assert(
      fc.property(fc.nat({ max: 300 }), fc.integer({ min: -3, max: 3 }), fc.nat({ max: F }), (frames, edge, offset) => {
        for (const delta of [edge, offset]) {
          let size = delta;
          for (let index = 0; index < frames; index++) size += fullFrameBytes(suite, index) - 16;
          if (size < 0) return;
          let sum = 0;
          let left = size;
          for (let index = 0; ; index++) {
            const capacity = fullFrameBytes(suite, index) - 16;
            sum += Math.min(left, capacity) + 16;
            if (left < capacity) break;
            left -= capacity;
          }
          expect(ciphertextLength(suite, size)).toBe(sum);
        }
      }),
    );
  });

  test.each(suites)('suite $id: grows with every byte, and never ends on a full frame', (suite) => {
    const largest = Math.floor(Number.MAX_SAFE_INTEGER / 2);
    fc.assert(
      fc.property(fc.oneof(fc.nat({ max: 4 * F }), fc.maxSafeNat().filter((n) => n < largest)), (size) => {
        const length = ciphertextLength(suite, size);
        const step = ciphertextLength(suite, size + 1) - length;
        expect([1, 17]).toContain(step);
        expect((length + suite.leadBytes) % suite.frameBytes).not.toBe(0);
        expect(step === 17).toBe((length + 1 + suite.leadBytes) % suite.frameBytes === 0);
      }),
    );
  });
});

interface GcmFile {
  testGroups: {
    ivSize: number;
    keySize: number;
    tagSize: number;
    tests: { tcId: number; key: string; iv: string; aad: string; msg: string; ct: string; tag: string; result: string }[];
  }[];
}

describeVectors('Wycheproof aes_gcm (256-bit keys, 96-bit nonces, no AAD) as frame 0', 'wycheproof/aes_gcm_test.json', (data) => {
  const cases = (data as GcmFile).testGroups
    .filter(({ ivSize, keySize, tagSize }) => ivSize === 96 && keySize === 256 && tagSize === 128)
    .flatMap((group) => group.tests)
    .filter(({ aad }) => aad === '');

  test('the file has valid and invalid cases of this kind', () => {
    expect(cases.filter(({ result }) => result === 'valid').length).toBeGreaterThan(15);
    expect(cases.filter(({ result }) => result === 'invalid').length).toBeGreaterThan(20);
  });

  test.each(cases)('case $tcId is $result', ({ key, iv, msg, ct, tag, result }) => {
    const frameKey: FrameKey = {
      suite: COBBLESTONE_256,
      key: secretKey(hex(key)),
      nonce: hex(iv),
      commitment: new Uint8Array(32),
    };
    const opened = openFrame(frameKey, 0, hex(ct + tag));
    if (result === 'valid') {
      expect(same(opened, hex(msg))).toBe(true);
      expect(Buffer.concat(sealFrame(frameKey, 0, [hex(msg)])).toString('hex')).toBe(ct + tag);
    } else {
      expect(opened).toBeUndefined();
    }
  });
});

interface ChunkedFile {
  testGroups: {
    tests: { tcId: number; comment: string; key: string; ctx: string; ct: string; aeadKey?: string; baseNonce?: string; result: string }[];
  }[];
}

describeVectors('Wycheproof Cobblestone-256: derivation and chunks', 'wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json', (data) => {
  const cases = (data as ChunkedFile).testGroups.flatMap((group) => group.tests);
  const derivable = cases.filter(({ aeadKey }) => aeadKey !== undefined);

  test('the file has cases that state the derived key', () => {
    expect(derivable.length).toBe(25);
  });

  test.each(derivable)('case $tcId ($comment): derives the stated key and nonce; the frames are $result', (vector) => {
    const message = inflateSync(hex(vector.ct));
    const frameKey = deriveFrameKey(COBBLESTONE_256, secretKey(hex(vector.key)), message.subarray(0, 24), hex(vector.ctx));
    expect(frameKey.key.export().toString('hex')).toBe(vector.aeadKey);
    expect(Buffer.from(frameKey.nonce).toString('hex')).toBe(vector.baseNonce);
    expect(commitmentMatches(frameKey, message.subarray(24, 56))).toBe(true);

    const opened = openAll(frameKey, message.subarray(56));
    expect(opened !== undefined).toBe(vector.result === 'valid');
    if (opened !== undefined) expect(same(sealAll(frameKey, opened), message.subarray(56))).toBe(true);
  });
});
