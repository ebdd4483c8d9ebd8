import type { KeyObject } from 'node:crypto';
import { concatBytes } from '../bytes.ts';
import {
  COBBLESTONE_256,
  COMMITMENT_BYTES,
  KEY_BYTES,
  SALT_BYTES,
  TAG_BYTES,
  commitmentMatches,
  deriveFrameKey,
  openFrame,
  sealFrame,
} from './framed-aead.ts';
import type { RandomSource } from './random.ts';

const LEAD_BYTES = SALT_BYTES + COMMITMENT_BYTES;
const CAPACITY = COBBLESTONE_256.frameBytes - TAG_BYTES;

/**
 * A whole core message in memory (Cobblestone-256): `salt || commitment ||
 * chunks`. For small things: wrapped keys, keyrings, metadata.
 * @throws KeyfoldError INVALID_ARGUMENT for a key of another size than 32 bytes
 */
export function sealMessage(
  key: KeyObject,
  context: Uint8Array,
  plaintext: Uint8Array,
  random: RandomSource,
): Uint8Array {
  const salt = random.bytes(SALT_BYTES);
  const frameKey = deriveFrameKey(COBBLESTONE_256, key, salt, context);
  const parts: Uint8Array[] = [salt, frameKey.commitment];
  for (let index = 0; index <= Math.floor(plaintext.byteLength / CAPACITY); index++) {
    parts.push(...sealFrame(frameKey, index, [plaintext.subarray(index * CAPACITY, (index + 1) * CAPACITY)]));
  }
  return concatBytes(...parts);
}

/** The plaintext, or undefined when any check fails; callers give the one generic error. */
export function openMessage(key: KeyObject, context: Uint8Array, message: Uint8Array): Uint8Array | undefined {
  if (key.symmetricKeySize !== KEY_BYTES || message.byteLength < LEAD_BYTES + TAG_BYTES) return undefined;
  const frameKey = deriveFrameKey(COBBLESTONE_256, key, message.subarray(0, SALT_BYTES), context);
  if (!commitmentMatches(frameKey, message.subarray(SALT_BYTES, LEAD_BYTES))) return undefined;
  const frames = message.subarray(LEAD_BYTES);
  // A full frame is never the last, so a length that divides evenly is a truncation.
  if (frames.byteLength % COBBLESTONE_256.frameBytes < TAG_BYTES) return undefined;
  const plaintexts: Uint8Array[] = [];
  for (let index = 0; index * COBBLESTONE_256.frameBytes < frames.byteLength; index++) {
    const start = index * COBBLESTONE_256.frameBytes;
    const plaintext = openFrame(frameKey, index, frames.subarray(start, start + COBBLESTONE_256.frameBytes));
    if (plaintext === undefined) {
      wipe(plaintexts);
      return undefined;
    }
    plaintexts.push(plaintext);
  }
  const joined = concatBytes(...plaintexts);
  wipe(plaintexts);
  return joined;
}

function wipe(parts: readonly Uint8Array[]): void {
  for (const part of parts) part.fill(0);
}
