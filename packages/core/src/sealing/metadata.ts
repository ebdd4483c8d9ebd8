import type { KeyObject } from 'node:crypto';
import { decodeUtf8, encodeUtf8 } from '../bytes.ts';
import { openMessage, sealMessage } from '../crypto/message.ts';
import type { RandomSource } from '../crypto/random.ts';
import { KeyfoldError } from '../errors.ts';
import { METADATA_LIMIT_BYTES, metadataBinding } from '../format/checkpoint.ts';
import type { EncryptionContext } from '../format/context.ts';
import type { KeyRecord } from '../format/key-record.ts';

/** What JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What a checkpoint tells about itself (job, operators, times), sealed in its key record. */
export type CheckpointMetadata = Readonly<Record<string, JsonValue>>;

/**
 * UTF-8 JSON of a metadata object.
 * @throws KeyfoldError INVALID_ARGUMENT when it is no plain JSON object, LIMIT_EXCEEDED above 65,416 bytes
 */
export function encodeMetadata(metadata: CheckpointMetadata): Uint8Array {
  const bytes = encodeUtf8(toJson(metadata), 'The metadata');
  if (bytes.byteLength > METADATA_LIMIT_BYTES) {
    throw new KeyfoldError('LIMIT_EXCEEDED', `Metadata has at most ${METADATA_LIMIT_BYTES} bytes as JSON, not ${bytes.byteLength}. Keep large things in the checkpoint's data.`);
  }
  return bytes;
}

function toJson(metadata: unknown): string {
  let text: string | undefined;
  try {
    text = isObject(metadata) ? JSON.stringify(metadata) : undefined;
  } catch {
    // A circle or a BigInt; the message below says what is wanted.
  }
  // toJSON() may have turned the object into something else, or into nothing.
  if (text?.startsWith('{') !== true) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'Metadata must be a plain object that JSON can hold.');
  }
  return text;
}

export function sealMetadata(
  dek: KeyObject,
  ids: Pick<KeyRecord, 'objectId' | 'dekId'>,
  context: EncryptionContext,
  json: Uint8Array,
  random: RandomSource,
): Uint8Array {
  return sealMessage(dek, metadataBinding(ids, context), json, random);
}

/** The metadata of a record, or undefined when it was not sealed for this tenant and checkpoint. */
export function openMetadata(dek: KeyObject, record: KeyRecord, context: EncryptionContext): CheckpointMetadata | undefined {
  const json = openMessage(dek, metadataBinding(record, context), record.sealedMetadata);
  const text = json === undefined ? undefined : decodeUtf8(json);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? (value as CheckpointMetadata) : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
