import type * as crypto from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { fromBase64Url, toBase64Url } from '../src/bytes.ts';
import { AES_256_CBC_HMAC_SHA_256, cbcHmacSuite } from '../src/crypto/cbc-hmac-suite.ts';
import { AES_256_GCM_1M, deriveFrameKey, openFrame, sealFrame } from '../src/crypto/framed-aead.ts';
import { hkdfExpandSha512 } from '../src/crypto/hkdf.ts';
import { openMessage, sealMessage } from '../src/crypto/message.ts';
import { openCheckpointRange } from '../src/sealing/checkpoint-range-opener.ts';
import { systemRandomSource } from '../src/crypto/random.ts';
import { SINGLE_CHUNK_OVERHEAD_BYTES, openSingleChunk, sealSingleChunk } from '../src/crypto/single-chunk.ts';
import { MemoryKeyRecordStore } from '../src/testing/memory-key-record-store.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { KeyVault } from '../src/vault/key-vault.ts';
import { flipBit, patterned, secretKey } from './support/bytes.ts';
import { IDENTITY, LeakyKms, openRecord, seal } from './support/checkpoints.ts';
import { PartSource } from './support/parts.ts';
import { encryptedBlocks, referenceKeys, tagged } from './support/reference-cbc.ts';

/** What went into Node's cryptography and came out of it, as views of the same memory. */
const handedOut = vi.hoisted((): { digests: Uint8Array[]; opened: Uint8Array[]; hashed: Uint8Array[]; imported: Uint8Array[]; sealed: Uint8Array[] } => ({
  digests: [],
  opened: [],
  hashed: [],
  imported: [],
  sealed: [],
}));

vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof crypto>();
  return {
    ...original,
    createSecretKey: (bytes: Uint8Array) => {
      handedOut.imported.push(bytes);
      return original.createSecretKey(bytes);
    },
    createHmac: (...args: Parameters<typeof original.createHmac>) => {
      const hmac = original.createHmac(...args);
      const digest = hmac.digest.bind(hmac) as () => Buffer;
      const update = hmac.update.bind(hmac) as (data: Uint8Array) => typeof hmac;
      return Object.assign(hmac, {
        update: (data: Uint8Array) => {
          handedOut.hashed.push(data);
          update(data);
          return hmac;
        },
        digest: () => {
          const bytes = digest();
          handedOut.digests.push(bytes);
          return bytes;
        },
      });
    },
    createCipheriv: (...args: Parameters<typeof original.createCipheriv>) => {
      const cipher = original.createCipheriv(...args);
      const update = cipher.update.bind(cipher) as (data: Uint8Array) => Buffer;
      return Object.assign(cipher, {
        update: (data: Uint8Array) => {
          handedOut.sealed.push(data);
          return update(data);
        },
      });
    },
    createDecipheriv: (...args: Parameters<typeof original.createDecipheriv>) => {
      const decipher = original.createDecipheriv(...args);
      const update = decipher.update.bind(decipher) as (data: Uint8Array) => Buffer;
      return Object.assign(decipher, {
        update: (data: Uint8Array) => {
          const bytes = update(data);
          handedOut.opened.push(bytes);
          return bytes;
        },
      });
    },
  };
});

const KEY = secretKey(patterned(32, 'key'));
const CONTEXT = patterned(20, 'context');

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

beforeEach(() => {
  handedOut.digests.length = 0;
  handedOut.opened.length = 0;
  handedOut.hashed.length = 0;
  handedOut.imported.length = 0;
  handedOut.sealed.length = 0;
});

describe('memory that held secrets is overwritten', () => {
  test('the digests from which HKDF assembles its output', () => {
    const okm = hkdfExpandSha512(KEY, CONTEXT, 76);
    expect(isZero(okm)).toBe(false);
    expect(handedOut.digests.length).toBe(2);
    for (const digest of handedOut.digests) {
      expect(digest.byteLength).toBe(64);
      expect(isZero(digest)).toBe(true);
    }
  });

  test('the blocks that HKDF feeds back into itself, and what it derived beyond the asked length', () => {
    hkdfExpandSha512(KEY, CONTEXT, 150);
    const input = 64 + CONTEXT.byteLength + 1;
    expect(handedOut.hashed.map(({ byteLength }) => byteLength)).toEqual([input - 64, input, input]);
    for (const { buffer } of handedOut.hashed) {
      // Its input and all of its output are in one piece of memory.
      expect(buffer.byteLength).toBe(192 + input);
      expect(isZero(new Uint8Array(buffer))).toBe(true);
    }
  });

  test('the bytes from which a frame key was imported', () => {
    const frameKey = deriveFrameKey(AES_256_GCM_1M, KEY, patterned(24), CONTEXT);
    expect(frameKey.key.symmetricKeySize).toBe(32);
    expect(handedOut.imported.map(({ byteLength }) => byteLength)).toEqual([32]);
    for (const { buffer } of handedOut.imported) expect(isZero(new Uint8Array(buffer))).toBe(true);
    expect(isZero(frameKey.nonce)).toBe(false);
    expect(isZero(frameKey.commitment)).toBe(false);
    expect(isZero(frameKey.key.export())).toBe(false);
  });

  test('a frame that decrypts but does not authenticate', () => {
    const frameKey = deriveFrameKey(AES_256_GCM_1M, KEY, patterned(24), CONTEXT);
    const frame = Buffer.concat(sealFrame(frameKey, 0, [patterned(100)]));
    const damagedTag = flipBit(frame, frame.byteLength * 8 - 1);
    expect(openFrame(frameKey, 0, damagedTag)).toBeUndefined();
    expect(handedOut.opened.map((bytes) => bytes.byteLength)).toEqual([100]);
    expect(handedOut.opened.every(isZero)).toBe(true);
  });

  test('what a message of one chunk was derived from, sealed and opened', () => {
    const message = new Uint8Array(5 + SINGLE_CHUNK_OVERHEAD_BYTES);
    sealSingleChunk(KEY, [CONTEXT], patterned(5), message);
    expect(openSingleChunk(KEY, [CONTEXT], message)).toEqual(patterned(5));
    expect(handedOut.imported.map(({ byteLength }) => byteLength)).toEqual([32, 32]);
    expect(handedOut.imported.every(({ buffer }) => isZero(new Uint8Array(buffer)))).toBe(true);
    expect(handedOut.digests.length).toBe(4);
    expect(handedOut.digests.every(isZero)).toBe(true);
    // The first block of what the second was derived from.
    const second = handedOut.hashed.filter((bytes) => bytes.byteOffset === 0);
    expect(second.length).toBe(2);
    expect(second.every((bytes) => isZero(bytes.subarray(0, 64)))).toBe(true);
  });

  test('the plaintext of a message of one chunk that does not authenticate', () => {
    const message = new Uint8Array(5 + SINGLE_CHUNK_OVERHEAD_BYTES);
    sealSingleChunk(KEY, [CONTEXT], patterned(5), message);
    expect(openSingleChunk(KEY, [CONTEXT], flipBit(message, message.byteLength * 8 - 1))).toBeUndefined();
    expect(handedOut.opened.map((bytes) => bytes.byteLength)).toEqual([5]);
    expect(handedOut.opened.every(isZero)).toBe(true);
  });

  test("a column's UTF-8 of what it seals and opens, and padded content; not the caller's own bytes", async () => {
    const vault = new KeyVault({ records: new MemoryKeyRecordStore(), kms: new MemoryKms(), tenant: 'acme' });
    await vault.prime();
    handedOut.opened.length = 0;
    handedOut.sealed.length = 0;
    const text = vault.column({ table: 't', column: 'c', bind: 'column', encoding: 'text', content: 'text', padding: true });
    expect(text.open(text.seal('a secret')).value).toBe('a secret');
    const plain = vault.column({ table: 't', column: 'c', bind: 'column', encoding: 'text', content: 'text' });
    expect(plain.open(plain.seal('a secret')).value).toBe('a secret');
    expect(handedOut.sealed.map(({ byteLength }) => byteLength)).toEqual([32, 8]);
    expect(handedOut.sealed.every(isZero)).toBe(true);
    const [padded, unpadded] = handedOut.opened;
    expect([padded?.subarray(0, 8), unpadded].every((bytes) => bytes !== undefined && isZero(bytes))).toBe(true);
    const bytes = vault.column({ table: 't', column: 'c', bind: 'column', encoding: 'binary', content: 'bytes' });
    const own = patterned(20);
    bytes.seal(own);
    expect(own).toEqual(patterned(20));
  });

  test('the chunks of a message after they were joined, and none of the result', () => {
    const message = sealMessage(KEY, CONTEXT, patterned(40_000), systemRandomSource);
    const opened = openMessage(KEY, CONTEXT, message);
    expect(handedOut.opened.map((bytes) => bytes.byteLength)).toEqual([16_384, 16_384, 7_232]);
    expect(handedOut.opened.every(isZero)).toBe(true);
    expect(opened).toEqual(patterned(40_000));
  });

  test('the chunks that opened before one did not', () => {
    const message = sealMessage(KEY, CONTEXT, patterned(40_000), systemRandomSource);
    expect(openMessage(KEY, CONTEXT, flipBit(message, (message.byteLength - 1) * 8))).toBeUndefined();
    expect(handedOut.opened.length).toBe(3);
    expect(handedOut.opened.every(isZero)).toBe(true);
  });

  test('nothing is decrypted at all when the commitment differs', () => {
    const message = sealMessage(KEY, CONTEXT, patterned(100), systemRandomSource);
    expect(openMessage(KEY, CONTEXT, flipBit(message, 24 * 8))).toBeUndefined();
    expect(openMessage(KEY, patterned(21), message)).toBeUndefined();
    expect(handedOut.opened).toEqual([]);
  });

  test.each([0, 1, 15])('nothing is decrypted at all when %i bytes follow the full chunks', (rest) => {
    const message = sealMessage(KEY, CONTEXT, patterned(16_384), systemRandomSource);
    expect(openMessage(KEY, CONTEXT, message.subarray(0, 56 + 16_400 + rest))).toBeUndefined();
    expect(handedOut.opened).toEqual([]);
  });

  test('a chunk of suite 02 that is decrypted and does not have the length or padding of one', async () => {
    const keys = referenceKeys(patterned(32, 'key'), patterned(24), CONTEXT);
    const cipher = cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(KEY, patterned(24), CONTEXT);
    const iv = patterned(16);
    const wrongPadding = await tagged(keys, { index: 0, final: 1, iv, encrypted: encryptedBlocks(keys, iv, patterned(160)) });
    const tooLong = await tagged(keys, { index: 0, final: 0, iv, encrypted: encryptedBlocks(keys, iv, Buffer.alloc(16_400, 1)) });
    for (const chunk of [wrongPadding, tooLong]) {
      handedOut.opened.length = 0;
      expect(cipher.openFrame(0, chunk)).toBeUndefined();
      expect(handedOut.opened.length).toBe(1);
      expect(handedOut.opened.every(isZero)).toBe(true);
    }
    // What was joined from the decipher's pieces is a copy that only its zeroing shows.
    const fill = vi.spyOn(Uint8Array.prototype, 'fill');
    cipher.openFrame(0, tooLong);
    const zeroed = fill.mock.contexts.map((bytes) => (bytes as Uint8Array).byteLength);
    fill.mockRestore();
    expect(zeroed).toContain(16_399);
  });

  test('nothing is decrypted at all of a chunk of suite 02 without whole blocks, though its tag is right', async () => {
    const keys = referenceKeys(patterned(32, 'key'), patterned(24), CONTEXT);
    const cipher = cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(KEY, patterned(24), CONTEXT);
    for (const length of [0, 1, 15, 17, 40]) {
      const chunk = await tagged(keys, { index: 0, final: 1, iv: patterned(16), encrypted: patterned(length) });
      expect(cipher.openFrame(0, chunk)).toBeUndefined();
    }
    expect(handedOut.opened).toEqual([]);
  });

  test('frames of which a range takes a part, and none of what it takes whole', async () => {
    const kms = new LeakyKms();
    const { record, data } = await seal(kms, patterned(60_000), { suite: 'cobblestone-256' });
    const opened = await openRecord(record, { kms });
    handedOut.opened.length = 0;
    const part = await openCheckpointRange(opened, IDENTITY, PartSource.of(data).open, { start: 100, end: 33_000 });
    const chunks: Uint8Array[] = [];
    for await (const chunk of part?.plaintext ?? []) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(patterned(60_000).subarray(100, 33_000))).toBe(true);
    // The last frame, then those of the range: only the second of these is given out as it is.
    expect(handedOut.opened.map(isZero)).toEqual([true, true, false, true]);
  });

  test('the key material of suite 02 from which its keys were imported', () => {
    cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(KEY, patterned(24), CONTEXT);
    expect(handedOut.imported.map(({ byteLength }) => byteLength)).toEqual([32, 32]);
    for (const { buffer } of handedOut.imported) expect(isZero(new Uint8Array(buffer))).toBe(true);
  });

  test('nothing is decrypted at all when the tag of a chunk of suite 02 is wrong', () => {
    const cipher = cbcHmacSuite(AES_256_CBC_HMAC_SHA_256).derive(KEY, patterned(24), CONTEXT);
    const chunk = cipher.sealer(systemRandomSource).end();
    for (let bit = 0; bit < chunk.byteLength * 8; bit += 7) expect(cipher.openFrame(0, flipBit(chunk, bit))).toBeUndefined();
    expect(handedOut.opened).toEqual([]);
  });

  test("what base64url decoding left in Node's shared pool", () => {
    const from = vi.spyOn(Buffer, 'from');
    const decoded = fromBase64Url(toBase64Url(patterned(32)));
    const refused = fromBase64Url(`${toBase64Url(patterned(32))} `);
    const temporary = from.mock.results
      .map(({ value }) => value as Buffer)
      .filter((_, call) => typeof from.mock.calls[call]?.[0] === 'string');
    from.mockRestore();
    expect(decoded).toEqual(patterned(32));
    expect(refused).toBeUndefined();
    expect(temporary.map((bytes) => bytes.byteLength)).toEqual([32, 32]);
    expect(temporary.every(isZero)).toBe(true);
  });
});
