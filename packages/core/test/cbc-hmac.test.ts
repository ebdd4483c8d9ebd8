import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CbcHmacKey, type CbcHmacParameters, openCbcHmac, sealCbcHmac } from '../src/crypto/cbc-hmac.ts';
import { flipBit, patterned, secretKey } from './support/bytes.ts';
import { describeVectors, hex } from './support/vectors.ts';

const A128CBC_HS256: CbcHmacParameters = { cipher: 'aes-128-cbc', hash: 'sha256', tagBytes: 16 };
const A256CBC_HS512: CbcHmacParameters = { cipher: 'aes-256-cbc', hash: 'sha512', tagBytes: 32 };
const SUITE_02: CbcHmacParameters = { cipher: 'aes-256-cbc', hash: 'sha256', tagBytes: 32 };

/** RFC 7518 section 5.2.2.1: the first half authenticates, the second encrypts. */
function split(parameters: CbcHmacParameters, key: Uint8Array): CbcHmacKey {
  const half = key.byteLength / 2;
  return { ...parameters, authentication: secretKey(key.subarray(0, half)), encryption: secretKey(key.subarray(half)) };
}

interface Vector {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly ct: string;
  readonly tag: string;
}

function expectValid(parameters: CbcHmacParameters, { key, iv, aad, ct, tag }: Vector, plaintext: string): void {
  const keys = split(parameters, hex(key));
  expect(Buffer.from(sealCbcHmac(keys, hex(iv), hex(aad), hex(plaintext))).toString('hex')).toBe(iv + ct + tag);
  expect(Buffer.from(openCbcHmac(keys, hex(aad), hex(iv + ct + tag)) ?? [0xbad]).toString('hex')).toBe(plaintext);
}

interface WycheproofFile {
  readonly numberOfTests: number;
  readonly testGroups: readonly { readonly tests: readonly (Vector & { readonly tcId: number; readonly msg: string; readonly result: string })[] }[];
}

describe.each([
  ['wycheproof/a128cbc_hs256_test.json', A128CBC_HS256],
  ['wycheproof/a256cbc_hs512_test.json', A256CBC_HS512],
] as const)('%s', (file, parameters) => {
  describeVectors(`Wycheproof ${file}`, file, (data) => {
    const { numberOfTests, testGroups } = data as WycheproofFile;
    const cases = testGroups.flatMap((group) => group.tests);

    test('the file holds 94 cases, valid and invalid', () => {
      expect([numberOfTests, cases.length]).toEqual([94, 94]);
      expect(cases.filter(({ result }) => result === 'valid').length).toBe(67);
    });

    test.each(cases)('case $tcId is $result', (vector) => {
      if (vector.result === 'valid') expectValid(parameters, vector, vector.msg);
      else expect(openCbcHmac(split(parameters, hex(vector.key)), hex(vector.aad), hex(vector.iv + vector.ct + vector.tag))).toBeUndefined();
    });
  });
});

describeVectors('RFC 7518 appendix B', 'rfc/rfc7518_appendix_b.json', (data) => {
  const cases = data as readonly (Vector & { readonly name: string; readonly cipher: string; readonly pt: string })[];

  test('has the two sizes that there are vectors for', () => {
    expect(cases.map(({ cipher }) => cipher)).toEqual(['aes-128-cbc', 'aes-256-cbc']);
  });

  test.each(cases)('$name', (vector) => {
    expectValid(vector.cipher === 'aes-128-cbc' ? A128CBC_HS256 : A256CBC_HS512, vector, vector.pt);
  });
});

describe('AES-CBC with HMAC', () => {
  const key: CbcHmacKey = { ...SUITE_02, encryption: secretKey(patterned(32, 'e')), authentication: secretKey(patterned(32, 'a')) };
  const iv = patterned(16, 'iv');
  const associated = patterned(41, 'associated');

  test('opens to what was sealed, at every length around blocks', () => {
    for (let length = 0; length < 70; length++) {
      const sealed = sealCbcHmac(key, iv, associated, patterned(length));
      expect(sealed.byteLength).toBe(16 + 16 * (Math.floor(length / 16) + 1) + 32);
      expect(openCbcHmac(key, associated, sealed)).toEqual(patterned(length));
    }
  });

  test('opens to what was sealed, for anything', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.uint8Array({ maxLength: 60 }), (plaintext, data) => {
        expect(openCbcHmac(key, data, sealCbcHmac(key, iv, data, plaintext))).toEqual(plaintext);
      }),
    );
  });

  test('refuses every bit flip, every truncation at either end, and extension', () => {
    const sealed = sealCbcHmac(key, iv, associated, patterned(20));
    for (let bit = 0; bit < sealed.byteLength * 8; bit++) expect(openCbcHmac(key, associated, flipBit(sealed, bit))).toBeUndefined();
    for (let length = 0; length < sealed.byteLength; length++) {
      expect(openCbcHmac(key, associated, sealed.subarray(0, length))).toBeUndefined();
      expect(openCbcHmac(key, associated, sealed.subarray(sealed.byteLength - length))).toBeUndefined();
    }
    for (const extra of [1, 15, 16, 32]) expect(openCbcHmac(key, associated, Buffer.concat([sealed, new Uint8Array(extra)]))).toBeUndefined();
  });

  test('associated data and IV cannot trade bytes', () => {
    const sealed = sealCbcHmac(key, iv, associated, patterned(40));
    // The same bytes go into the MAC but for the length of the associated data.
    const moved = Buffer.concat([associated, sealed.subarray(0, 16)]);
    expect(openCbcHmac(key, moved, sealed.subarray(16))).toBeUndefined();
  });

  test('the plaintext is a plain Uint8Array with memory of its own', () => {
    for (const length of [0, 16, 20]) {
      const sealed = sealCbcHmac(key, iv, associated, patterned(length));
      const opened = openCbcHmac(key, associated, sealed);
      sealed.fill(0);
      expect(Object.getPrototypeOf(opened)).toBe(Uint8Array.prototype);
      expect(opened).toEqual(patterned(length));
    }
  });
});
