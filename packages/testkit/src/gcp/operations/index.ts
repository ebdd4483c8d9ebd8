import type { Operation } from './call.ts';
import { createCryptoKey, getCryptoKey, listCryptoKeys, updateCryptoKey, updateCryptoKeyPrimaryVersion } from './crypto-keys.ts';
import { decrypt, encrypt } from './encrypt-decrypt.ts';
import { createKeyRing, getKeyRing, listKeyRings } from './key-rings.ts';
import {
  createCryptoKeyVersion, destroyCryptoKeyVersion, getCryptoKeyVersion, listCryptoKeyVersions, restoreCryptoKeyVersion, updateCryptoKeyVersion,
} from './versions.ts';

/** What the server plays, by its name in the API. Every other method of the service is UNIMPLEMENTED. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['CreateKeyRing', createKeyRing],
  ['GetKeyRing', getKeyRing],
  ['ListKeyRings', listKeyRings],
  ['CreateCryptoKey', createCryptoKey],
  ['GetCryptoKey', getCryptoKey],
  ['ListCryptoKeys', listCryptoKeys],
  ['UpdateCryptoKey', updateCryptoKey],
  ['UpdateCryptoKeyPrimaryVersion', updateCryptoKeyPrimaryVersion],
  ['CreateCryptoKeyVersion', createCryptoKeyVersion],
  ['GetCryptoKeyVersion', getCryptoKeyVersion],
  ['ListCryptoKeyVersions', listCryptoKeyVersions],
  ['UpdateCryptoKeyVersion', updateCryptoKeyVersion],
  ['DestroyCryptoKeyVersion', destroyCryptoKeyVersion],
  ['RestoreCryptoKeyVersion', restoreCryptoKeyVersion],
  ['Encrypt', encrypt],
  ['Decrypt', decrypt],
]);
