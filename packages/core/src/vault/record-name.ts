import { createHash } from 'node:crypto';
import { encodeUtf8, toHex } from '../bytes.ts';
import type { VaultKeyIdentity } from '../sealing/record-subject.ts';

const DEK_ID_PATTERN = /^[0-9a-f]{32}$/;

/** What the names of a tenant's records of one use begin with (spec/key-vault). */
export function recordPrefix({ use, tenant }: Pick<VaultKeyIdentity, 'use' | 'tenant'>): string {
  // A digest: of one length, of lowercase letters and digits, whatever Unicode the tenant is made of.
  return `${use}/${createHash('sha256').update(encodeUtf8(tenant, 'The tenant')).digest('hex')}/`;
}

/**
 * Under which key a vault's record stands in its {@link KeyRecordStore}:
 * `<use>/<SHA-256 of the tenant in hex>/<DEK id in hex>`.
 */
export function vaultRecordKey(identity: Pick<VaultKeyIdentity, 'use' | 'tenant' | 'dekId'>): string {
  return recordPrefix(identity) + toHex(identity.dekId);
}

/** The DEK id at the end of a record's key, or undefined when there is none. */
export function dekIdOfKey(key: string, prefix: string): Uint8Array | undefined {
  return key.startsWith(prefix) ? dekIdFromHex(key.slice(prefix.length)) : undefined;
}

/** 16 bytes of 32 lowercase hex digits, or undefined. */
export function dekIdFromHex(hex: string): Uint8Array | undefined {
  return DEK_ID_PATTERN.test(hex) ? Uint8Array.from(Buffer.from(hex, 'hex')) : undefined;
}
