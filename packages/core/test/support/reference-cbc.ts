import { createCipheriv, webcrypto } from 'node:crypto';
import { expand } from './reference.ts';

/** Suite 02 as its specification has it, sharing nothing with the sources; Web Crypto instead of node:crypto. */
export interface ReferenceKeys {
  readonly encryption: Buffer;
  readonly authentication: Buffer;
  readonly commitment: Buffer;
}

export const CHUNK = 16_384;
/** A full chunk: IV, 1,025 blocks, tag. */
export const SEALED_CHUNK = 16 + 16_400 + 32;

export function referenceKeys(key: Uint8Array, salt: Uint8Array, context: Uint8Array): ReferenceKeys {
  const label = Buffer.from('keyfold/aes-256-cbc-hmac-sha256/v1\0', 'latin1');
  const okm = expand(key, Buffer.concat([label, salt, context]), 96);
  return { encryption: okm.subarray(0, 32), authentication: okm.subarray(32, 64), commitment: okm.subarray(64, 96) };
}

export interface ReferenceChunk {
  readonly index: number;
  /** The flag's byte: 00 or 01 where nobody cheats. */
  readonly final: number;
  readonly iv: Uint8Array;
  readonly encrypted: Uint8Array;
}

/** Joins a chunk with the tag that whoever has the keys would give it, whatever is in it. */
export async function tagged(keys: ReferenceKeys, { index, final, iv, encrypted }: ReferenceChunk): Promise<Buffer> {
  const associated = Buffer.alloc(41);
  keys.commitment.copy(associated);
  associated.writeBigUInt64BE(BigInt(index), 32);
  associated.writeUInt8(final, 40);
  const bits = Buffer.from('0000000000000148', 'hex'); // 328
  const hmac = await webcrypto.subtle.importKey('raw', keys.authentication, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const tag = await webcrypto.subtle.sign('HMAC', hmac, Buffer.concat([associated, iv, encrypted, bits]));
  return Buffer.concat([iv, encrypted, Buffer.from(tag)]);
}

/** AES-256-CBC with PKCS#7 padding. */
export async function encrypted(keys: ReferenceKeys, iv: Uint8Array, plaintext: Uint8Array): Promise<Buffer> {
  const aes = await webcrypto.subtle.importKey('raw', keys.encryption, 'AES-CBC', false, ['encrypt']);
  return Buffer.from(await webcrypto.subtle.encrypt({ name: 'AES-CBC', iv }, aes, plaintext));
}

/** AES-256-CBC of whole blocks, the padding included, right or wrong. */
export function encryptedBlocks(keys: ReferenceKeys, iv: Uint8Array, blocks: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-cbc', keys.encryption, iv).setAutoPadding(false);
  return Buffer.concat([cipher.update(blocks), cipher.final()]);
}

/** Every chunk of a message; `iv` gives chunk after chunk its own. */
export async function referenceChunks(keys: ReferenceKeys, plaintext: Uint8Array, iv: (index: number) => Uint8Array): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for (let index = 0; ; index++) {
    const part = plaintext.subarray(index * CHUNK, (index + 1) * CHUNK);
    const last = part.byteLength < CHUNK;
    chunks.push(await tagged(keys, { index, final: last ? 1 : 0, iv: iv(index), encrypted: await encrypted(keys, iv(index), part) }));
    if (last) return chunks;
  }
}
