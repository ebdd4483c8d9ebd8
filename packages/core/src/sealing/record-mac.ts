import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { concatBytes, constantTimeEqual } from '../bytes.ts';
import { hkdfExpandSha512 } from '../crypto/hkdf.ts';
import { KeyfoldError } from '../errors.ts';
import { label } from '../format/context.ts';
import { type KeyRecord, type ParsedKeyRecord, encodeKeyRecordBody } from '../format/key-record.ts';

const DEK_BYTES = 32;
const MAC_KEY_BYTES = 32;

/**
 * The encoded record, authenticated by the DEK that it wraps.
 * @throws KeyfoldError KMS_PROTOCOL_ERROR when what the KMS calls its key, version or wrap does not fit a record
 */
export function signKeyRecord(dek: KeyObject, record: KeyRecord): Uint8Array {
  const body = encodeBody(record);
  return concatBytes(body, recordMac(dek, body));
}

/** Only what a KMS chose (names and wraps) can be outside a record's limits. */
function encodeBody(record: KeyRecord): Uint8Array {
  try {
    return encodeKeyRecordBody(record);
  } catch (error) {
    throw new KeyfoldError(
      'KMS_PROTOCOL_ERROR',
      'The KMS returned a wrap, or a name of a provider, key, version or algorithm, that a key record cannot hold.',
      { cause: error },
    );
  }
}

/** Whether the record's MAC is by this DEK. Constant time. */
export function verifyKeyRecord(dek: KeyObject, parsed: ParsedKeyRecord): boolean {
  // HMAC pads short keys with zeros: a DEK that ends in one and the same without it have one MAC.
  return dek.symmetricKeySize === DEK_BYTES && constantTimeEqual(recordMac(dek, parsed.body), parsed.mac);
}

/** HMAC-SHA-256 under a key of its own, expanded from the DEK. */
function recordMac(dek: KeyObject, body: Uint8Array): Uint8Array {
  const macKey = hkdfExpandSha512(dek, label('keyfold/key-record-mac/v1'), MAC_KEY_BYTES);
  const mac = createHmac('sha256', createSecretKey(macKey)).update(body).digest();
  macKey.fill(0);
  return mac;
}
