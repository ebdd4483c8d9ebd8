import { createDecipheriv, createHash, type KeyObject } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { COBBLESTONE_256, commitmentMatches, deriveFrameKey, openFrame } from '../src/crypto/framed-aead.ts';
import type * as hkdf from '../src/crypto/hkdf.ts';
import { openMessage } from '../src/crypto/message.ts';
import { patterned, secretKey } from './support/bytes.ts';
import { describeVectors, hex } from './support/vectors.ts';

interface TwoKeyCiphertext {
  k1: string;
  k2: string;
  iv: string;
  ct: string;
  tag: string;
  pt1: string;
  pt2: string;
}

/** While set, derivation hands the message key itself to GCM, with this nonce and a commitment to the key. */
const shortcut = vi.hoisted((): { nonce: Uint8Array | undefined } => ({ nonce: undefined }));

vi.mock('../src/crypto/hkdf.ts', async (importOriginal) => {
  const original = await importOriginal<typeof hkdf>();
  return {
    hkdfExpandSha512: (prk: KeyObject, info: Uint8Array, length: number): Uint8Array => {
      if (shortcut.nonce === undefined) return original.hkdfExpandSha512(prk, info, length);
      return new Uint8Array(Buffer.concat([prk.export(), shortcut.nonce, commitmentOf(prk.export())]));
    },
  };
});

function commitmentOf(key: Uint8Array): Buffer {
  return createHash('sha256').update(key).digest();
}

describeVectors('one AES-GCM ciphertext that is valid under two keys', 'salamander_aes256gcm.json', (data) => {
  const vector = data as TwoKeyCiphertext;
  const [k1, k2, iv] = [hex(vector.k1), hex(vector.k2), hex(vector.iv)];
  const frame = hex(vector.ct + vector.tag);
  const salt = patterned(24);

  function bareGcm(key: Uint8Array): string {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 }).setAuthTag(hex(vector.tag));
    return Buffer.concat([decipher.update(hex(vector.ct)), decipher.final()]).toString('hex');
  }

  test('bare GCM accepts it under both keys, with different plaintexts', () => {
    expect(vector.k1).not.toBe(vector.k2);
    expect(bareGcm(k1)).toBe(vector.pt1);
    expect(bareGcm(k2)).toBe(vector.pt2);
    expect(vector.pt1).not.toBe(vector.pt2);
  });

  test('so does a frame by itself: only the commitment tells the keys apart', () => {
    const lone = (key: Uint8Array): Uint8Array | undefined =>
      openFrame({ suite: COBBLESTONE_256, key: secretKey(key), nonce: iv, commitment: commitmentOf(key) }, 0, frame);
    expect(Buffer.from(lone(k1) ?? []).toString('hex')).toBe(vector.pt1);
    expect(Buffer.from(lone(k2) ?? []).toString('hex')).toBe(vector.pt2);

    const one = deriveFrameKey(COBBLESTONE_256, secretKey(k1), salt, new Uint8Array(0));
    const two = deriveFrameKey(COBBLESTONE_256, secretKey(k2), salt, new Uint8Array(0));
    expect(commitmentMatches(one, one.commitment)).toBe(true);
    expect(commitmentMatches(two, one.commitment)).toBe(false);
    expect(commitmentMatches(one, two.commitment)).toBe(false);
  });

  test('a message opens under the key that it commits to and under no other', () => {
    shortcut.nonce = iv;
    try {
      for (const [committed, other, plaintext] of [
        [k1, k2, vector.pt1],
        [k2, k1, vector.pt2],
      ] as const) {
        const message = Buffer.concat([salt, commitmentOf(committed), frame]);
        expect(Buffer.from(openMessage(secretKey(committed), new Uint8Array(0), message) ?? []).toString('hex')).toBe(plaintext);
        expect(openMessage(secretKey(other), new Uint8Array(0), message)).toBeUndefined();
      }
    } finally {
      shortcut.nonce = undefined;
    }
  });

  test('with the real derivation it opens under neither', () => {
    for (const key of [k1, k2]) {
      const { commitment } = deriveFrameKey(COBBLESTONE_256, secretKey(key), salt, new Uint8Array(0));
      const message = Buffer.concat([salt, commitment, frame]);
      expect(openMessage(secretKey(k1), new Uint8Array(0), message)).toBeUndefined();
      expect(openMessage(secretKey(k2), new Uint8Array(0), message)).toBeUndefined();
    }
  });
});

describe('the commitment', () => {
  test('is the real one outside of the two-key test', () => {
    const { commitment } = deriveFrameKey(COBBLESTONE_256, secretKey(patterned(32)), patterned(24), new Uint8Array(0));
    expect(Buffer.from(commitment).equals(commitmentOf(patterned(32)))).toBe(false);
  });
});
