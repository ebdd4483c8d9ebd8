import { concatBytes, decodeUtf8, encodeUtf8 } from '../bytes.ts';
import { encodeContext, checkpointContext, label } from './context.ts';
import { ByteReader, MalformedError } from './reader.ts';
import { lengthPrefixed } from './writer.ts';

/** A sealed id as it stands in front of a record, and what follows it (spec/hidden-names). */
export interface ParsedHiddenRecord {
  readonly sealedId: Uint8Array;
  readonly rest: Uint8Array;
}

const MAGIC = Uint8Array.of(0x8f, 0x4b, 0x46, 0x4e);
const VERSION = 0x01;
/** Ids are padded to a multiple of this, so that their lengths show only roughly. */
const BLOCK_BYTES = 128;
const ID_LIMIT_BYTES = 1_024;
/** Salt, commitment and tag of a core message. */
const MESSAGE_OVERHEAD_BYTES = 72;
const SEALED_LIMIT_BYTES = MESSAGE_OVERHEAD_BYTES + 9 * BLOCK_BYTES;

/** The most that stands in front of a record: enough to read for a listing. */
export const HIDDEN_PREFIX_LIMIT_BYTES = 10 + SEALED_LIMIT_BYTES;

/** What an id's name is the HMAC of: `"keyfold/hidden-name/v1" 00 || checkpoint context`. */
export function hiddenNameInput(tenant: string, id: string): Uint8Array {
  return concatBytes(label('keyfold/hidden-name/v1'), encodeContext(checkpointContext(tenant, id)));
}

/** What a sealed id is bound to: `"keyfold/hidden-name-id/v1" 00 || the name's 32 bytes`. */
export function hiddenIdBinding(name: Uint8Array): Uint8Array {
  return concatBytes(label('keyfold/hidden-name-id/v1'), name);
}

/** `lp16(id)`, zeros up to a multiple of 128 bytes. */
export function encodeHiddenId(id: string): Uint8Array {
  const prefixed = lengthPrefixed(16, encodeUtf8(id, 'The checkpoint id'));
  const padded = new Uint8Array(Math.ceil(prefixed.byteLength / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(prefixed);
  return padded;
}

/** The id, or undefined when the padding or the text is not as {@link encodeHiddenId} makes them. */
export function decodeHiddenId(padded: Uint8Array): string | undefined {
  try {
    const reader = new ByteReader(padded);
    const id = decodeUtf8(reader.prefixed(16, 1, ID_LIMIT_BYTES));
    const canonical = id === undefined ? undefined : encodeHiddenId(id);
    return canonical?.byteLength === padded.byteLength && canonical.every((byte, at) => byte === padded[at]) ? id : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** What stands in front of a record: `8f 4b 46 4e 01 00 00 00 || lp16(sealed id)`. */
export function encodeHiddenPrefix(sealedId: Uint8Array): Uint8Array {
  return concatBytes(MAGIC, Uint8Array.of(VERSION, 0, 0, 0), lengthPrefixed(16, sealedId));
}

/** Takes an object apart without trusting it; undefined when it does not begin as one with a hidden name. */
export function parseHiddenRecord(bytes: Uint8Array): ParsedHiddenRecord | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (!MAGIC.every((byte) => reader.u8() === byte) || reader.u8() !== VERSION) return undefined;
    if (reader.u8() !== 0 || reader.u16() !== 0) return undefined;
    const sealedId = reader.prefixed(16, MESSAGE_OVERHEAD_BYTES + BLOCK_BYTES, SEALED_LIMIT_BYTES);
    if ((sealedId.byteLength - MESSAGE_OVERHEAD_BYTES) % BLOCK_BYTES !== 0) return undefined;
    return { sealedId, rest: bytes.subarray(reader.offset) };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
