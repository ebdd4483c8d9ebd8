import { createSecretKey, type KeyObject } from 'node:crypto';
import { concatBytes, u64 } from '../bytes.ts';
import { type CbcHmacKey, IV_BYTES, openCbcHmac, sealCbcHmac } from './cbc-hmac.ts';
import { type FrameLayout, isFrameIndex } from './frame-layout.ts';
import { COMMITMENT_BYTES, KEY_BYTES, deriveMessageKeys } from './message-keys.ts';
import type { RandomSource } from './random.ts';
import { type MessageCipher, type StreamSealer, type Suite, sealedObjectEnded, tooManyFrames } from './suite.ts';

const BLOCK_BYTES = 16;
const TAG_BYTES = 32;

export interface CbcHmacSuite {
  readonly id: number;
  /** Domain separation: opens the HKDF info. */
  readonly label: string;
  /** Plaintext of a full chunk, in whole blocks. */
  readonly chunkBytes: number;
  readonly maxFrames: number;
}

/** Suite 02: AES-256-CBC, then HMAC-SHA-256, in chunks of 16 KiB. */
export const AES_256_CBC_HMAC_SHA_256: CbcHmacSuite = {
  id: 0x02,
  label: 'keyfold/aes-256-cbc-hmac-sha256/v1',
  chunkBytes: 16_384,
  maxFrames: 2 ** 38,
};

/** Suite 02 as sealing and opening see it. */
export function cbcHmacSuite(parameters: CbcHmacSuite): Suite {
  return {
    id: parameters.id,
    derive: (prk, salt, context) => deriveCbcHmac(parameters, prk, salt, context),
    // Only the last chunk's padding knows.
    plaintextLength: () => undefined,
  };
}

/** Ke(32) || Km(32) || C(32) = HKDF-Expand-SHA-512(prk, label 00 || salt || context, 96). */
function deriveCbcHmac(parameters: CbcHmacSuite, prk: KeyObject, salt: Uint8Array, context: Uint8Array): CbcHmacMessage {
  const derived = deriveMessageKeys(parameters.label, prk, salt, context, 2 * KEY_BYTES + COMMITMENT_BYTES);
  const key: CbcHmacKey = {
    cipher: 'aes-256-cbc',
    hash: 'sha256',
    tagBytes: TAG_BYTES,
    encryption: createSecretKey(derived.subarray(0, KEY_BYTES)),
    authentication: createSecretKey(derived.subarray(KEY_BYTES, 2 * KEY_BYTES)),
  };
  const commitment = derived.slice(2 * KEY_BYTES);
  derived.fill(0);
  return new CbcHmacMessage(parameters, key, commitment);
}

class CbcHmacMessage implements MessageCipher {
  readonly layout: FrameLayout;
  readonly commitment: Uint8Array;
  readonly #key: CbcHmacKey;

  constructor({ chunkBytes, maxFrames }: CbcHmacSuite, key: CbcHmacKey, commitment: Uint8Array) {
    // A full chunk ends with a whole block of padding.
    const overheadBytes = IV_BYTES + BLOCK_BYTES + TAG_BYTES;
    this.layout = { frameBytes: chunkBytes + overheadBytes, leadBytes: 0, overheadBytes, maxFrames };
    this.commitment = commitment;
    this.#key = key;
  }

  sealer(random: RandomSource): StreamSealer {
    return new CbcHmacSealer(this.layout, (index, final, plaintext) =>
      sealCbcHmac(this.#key, random.bytes(IV_BYTES), this.#associated(index, final), plaintext),
    );
  }

  openFrame(index: number, frame: Uint8Array): Uint8Array | undefined {
    if (!isFrameIndex(this.layout, index)) return undefined;
    const { frameBytes, overheadBytes } = this.layout;
    const final = frame.byteLength < frameBytes;
    const plaintext = openCbcHmac(this.#key, this.#associated(index, final), frame);
    // Less padding would give a full chunk more plaintext than it has.
    if (plaintext === undefined || final || plaintext.byteLength === frameBytes - overheadBytes) return plaintext;
    plaintext.fill(0);
    return undefined;
  }

  /** C || u64 index || u8 final: key commitment, place and end are in every chunk's tag. */
  #associated(index: number, final: boolean): Uint8Array {
    return concatBytes(this.commitment, u64(index), Uint8Array.of(final ? 1 : 0));
  }
}

type SealChunk = (index: number, final: boolean, plaintext: Uint8Array) => Uint8Array;

/** Whether a chunk is the last stands in front of what its tag covers, so a chunk waits until it is full or the end has come. */
class CbcHmacSealer implements StreamSealer {
  readonly #seal: SealChunk;
  readonly #maxFrames: number;
  readonly #waiting: Uint8Array;
  #filled = 0;
  #index = 0;
  #ended = false;

  constructor({ frameBytes, overheadBytes, maxFrames }: FrameLayout, seal: SealChunk) {
    this.#seal = seal;
    this.#maxFrames = maxFrames;
    this.#waiting = new Uint8Array(frameBytes - overheadBytes);
  }

  push(plaintext: Uint8Array): Uint8Array[] {
    if (this.#ended) throw sealedObjectEnded();
    const size = this.#waiting.byteLength;
    const chunks: Uint8Array[] = [];
    let offset = 0;
    while (offset < plaintext.byteLength) {
      const part = plaintext.subarray(offset, offset + size - this.#filled);
      offset += part.byteLength;
      if (part.byteLength === size) {
        chunks.push(this.#full(part));
        continue;
      }
      this.#waiting.set(part, this.#filled);
      this.#filled += part.byteLength;
      if (this.#filled === size) chunks.push(this.#full(this.#waiting));
    }
    return chunks;
  }

  end(): Uint8Array {
    if (this.#ended) throw sealedObjectEnded();
    this.#ended = true;
    const last = this.#seal(this.#index, true, this.#waiting.subarray(0, this.#filled));
    this.#waiting.fill(0);
    return last;
  }

  /** A full chunk is never the last one, so the next begins whether or not bytes follow. */
  #full(plaintext: Uint8Array): Uint8Array {
    const chunk = this.#seal(this.#index++, false, plaintext);
    this.#filled = 0;
    if (this.#index < this.#maxFrames) return chunk;
    this.#ended = true;
    this.#waiting.fill(0);
    throw tooManyFrames(this.#maxFrames);
  }
}
