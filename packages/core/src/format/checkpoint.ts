import { concatBytes } from '../bytes.ts';
import { type EncryptionContext, encodeContext, label } from './context.ts';
import { ByteReader, MalformedError } from './reader.ts';

/** The first 40 bytes of a checkpoint's data object (spec/checkpoint). */
export interface DataObjectHeader {
  readonly suite: number;
  /** 16 bytes. */
  readonly objectId: Uint8Array;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
}

export const DATA_HEADER_BYTES = 40;

/** The most UTF-8 bytes of a checkpoint's metadata JSON: what fits the record once sealed. */
export const METADATA_LIMIT_BYTES = 65_416;

const MAGIC = Uint8Array.of(0x8f, 0x4b, 0x46, 0x43);
const VERSION = 0x01;

export function encodeDataHeader(header: DataObjectHeader): Uint8Array {
  return concatBytes(MAGIC, Uint8Array.of(VERSION, header.suite, 0, 0), header.objectId, header.dekId);
}

/** @throws MalformedError */
export function parseDataHeader(bytes: Uint8Array): DataObjectHeader {
  const reader = new ByteReader(bytes);
  if (!MAGIC.every((byte) => reader.u8() === byte) || reader.u8() !== VERSION) throw new MalformedError('no data object');
  const suite = reader.u8();
  if (reader.u16() !== 0) throw new MalformedError('reserved bytes');
  const header = { suite, objectId: reader.take(16), dekId: reader.take(16) };
  reader.end();
  return header;
}

/** What a data object's key derivation is bound to: `"keyfold/checkpoint/v1" 00 || header || ctx`. */
export function dataBinding(header: DataObjectHeader, context: EncryptionContext): Uint8Array {
  return concatBytes(label('keyfold/checkpoint/v1'), encodeDataHeader(header), encodeContext(context));
}

/** What sealed metadata is bound to: `"keyfold/checkpoint-metadata/v1" 00 || object id || DEK id || ctx`. */
export function metadataBinding(
  ids: Pick<DataObjectHeader, 'objectId' | 'dekId'>,
  context: EncryptionContext,
): Uint8Array {
  return concatBytes(label('keyfold/checkpoint-metadata/v1'), ids.objectId, ids.dekId, encodeContext(context));
}
