import { createCipheriv, createHmac } from 'node:crypto';

/** Suites 01 and 03 as their specifications have them, sharing nothing with the sources. */
export interface ReferenceSuite {
  readonly label: string;
  /** Plaintext bytes of full frame `index`. */
  readonly capacity: (index: number) => number;
}

export const REFERENCE_SUITES: Readonly<Record<1 | 3, ReferenceSuite>> = {
  1: { label: 'c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM', capacity: () => 16_384 },
  3: { label: 'keyfold/aes-256-gcm-1m/v1', capacity: (index) => (index === 0 ? 1_048_576 - 112 : 1_048_576 - 16) },
};

/** HKDF-Expand with SHA-512. */
export function expand(prk: Uint8Array, info: Uint8Array, length: number): Buffer {
  let block = Buffer.alloc(0);
  let okm = Buffer.alloc(0);
  for (let i = 1; okm.byteLength < length; i++) {
    block = createHmac('sha512', prk).update(block).update(info).update(Buffer.from([i])).digest();
    okm = Buffer.concat([okm, block]);
  }
  return okm.subarray(0, length);
}

export interface ReferenceMessage {
  readonly commitment: Buffer;
  readonly frames: readonly Buffer[];
}

/** Every frame of a message at once. */
export function referenceSeal(
  suite: ReferenceSuite,
  key: Uint8Array,
  salt: Uint8Array,
  context: Uint8Array,
  plaintext: Uint8Array,
): ReferenceMessage {
  const okm = expand(key, Buffer.concat([Buffer.from(`${suite.label}\0`, 'latin1'), salt, context]), 76);
  const nonce = BigInt(`0x${okm.toString('hex', 32, 44)}`);
  const frames: Buffer[] = [];
  let at = 0;
  for (let index = 0; ; index++) {
    const part = plaintext.subarray(at, at + suite.capacity(index));
    const iv = Buffer.from((nonce ^ BigInt(index)).toString(16).padStart(24, '0'), 'hex');
    const cipher = createCipheriv('aes-256-gcm', okm.subarray(0, 32), iv, { authTagLength: 16 });
    frames.push(Buffer.concat([cipher.update(part), cipher.final(), cipher.getAuthTag()]));
    at += part.byteLength;
    if (part.byteLength < suite.capacity(index)) return { commitment: okm.subarray(44, 76), frames };
  }
}

/** Whether two byte strings are the same, without a diff of megabytes when they are not. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Cuts `bytes` at the given places, which may be in any order and repeat. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.byteLength)).sort((a, b) => a - b), bytes.byteLength];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}
