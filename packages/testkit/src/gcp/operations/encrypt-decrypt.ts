import { decryptBlob, encryptBlob } from '../keys/ciphertext.ts';
import type { CryptoKey } from '../keys/crypto-key.ts';
import type { KeyVersion } from '../keys/key-version.ts';
import { isName, requireName } from '../keys/resource-name.ts';
import { crc32c } from '../wire/crc32c.ts';
import type { Fields } from '../wire/fields.ts';
import { invalidArgument } from '../wire/gcp-error.ts';
import type { Call, Operation } from './call.ts';

const KIB = 1_024;
/** Of plaintext and additional authenticated data each, for software keys. */
const MAX_SOFTWARE_BYTES = 64 * KIB;
/** Of both together, for HSM keys. */
const MAX_HSM_BYTES = 8 * KIB;

export const encrypt: Operation = (call, request) => {
  const name = request.requiredText('name');
  if (!isName('version', name)) requireName('cryptoKey', name);
  call.authorize('cryptoKeyVersions.useToEncrypt', name);
  const { key, version } = encryptingVersion(call, name);
  const plaintext = request.bytes('plaintext');
  const aad = request.bytes('additionalAuthenticatedData');
  requireSizes(key, plaintext, aad);
  const verifiedPlaintextCrc32c = isVerified(request, 'plaintext', plaintext);
  const verifiedAdditionalAuthenticatedDataCrc32c = isVerified(request, 'additionalAuthenticatedData', aad);
  const ciphertext = encryptBlob(key, version, plaintext, aad);
  return {
    name: version.init.name,
    ciphertext,
    ciphertextCrc32c: { value: crc32c(ciphertext) },
    verifiedPlaintextCrc32c,
    verifiedAdditionalAuthenticatedDataCrc32c,
    protectionLevel: key.init.protectionLevel,
  };
};

export const decrypt: Operation = (call, request) => {
  // Of a CryptoKey: the ciphertext says which version, and a name of one is refused.
  const name = requireName('cryptoKey', request.requiredText('name'));
  call.authorize('cryptoKeyVersions.useToDecrypt', name);
  const key = call.state.cryptoKey(name);
  key.requireEncrypts();
  const ciphertext = request.bytes('ciphertext');
  const aad = request.bytes('additionalAuthenticatedData');
  isVerified(request, 'ciphertext', ciphertext);
  isVerified(request, 'additionalAuthenticatedData', aad);
  const { plaintext, version } = decryptBlob(key, ciphertext, aad);
  return {
    plaintext,
    plaintextCrc32c: { value: crc32c(plaintext) },
    usedPrimary: key.isPrimary(version),
    protectionLevel: key.init.protectionLevel,
  };
};

function encryptingVersion(call: Call, name: string): { readonly key: CryptoKey; readonly version: KeyVersion } {
  const found = isName('version', name) ? call.state.version(name) : undefined;
  const key = found?.key ?? call.state.cryptoKey(name);
  key.requireEncrypts();
  return { key, version: found?.version ?? key.primary };
}

function requireSizes({ init }: CryptoKey, plaintext: Uint8Array, aad: Uint8Array): void {
  if (init.protectionLevel === 'HSM') {
    if (plaintext.length + aad.length > MAX_HSM_BYTES) throw invalidArgument('The combined length of plaintext and additional_authenticated_data must be at most 8 KiB for HSM keys.');
  } else if (plaintext.length > MAX_SOFTWARE_BYTES || aad.length > MAX_SOFTWARE_BYTES) {
    throw invalidArgument('plaintext and additional_authenticated_data must each be at most 64 KiB.');
  }
}

/** Whether a checksum came. @throws GcpError INVALID_ARGUMENT for one that is not that of the bytes */
function isVerified(request: Fields, field: string, bytes: Uint8Array): boolean {
  const checksum = request.wrapped(`${field}Crc32c`);
  if (checksum === undefined) return false;
  if (checksum !== crc32c(bytes)) throw invalidArgument(`The checksum in field ${field}_crc32c did not match the data in field ${field}.`);
  return true;
}
