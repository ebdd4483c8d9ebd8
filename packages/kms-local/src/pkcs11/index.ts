/** Keys on PKCS#11 tokens. Needs the package pkcs11js, which is loaded when a token is opened. */
export { Pkcs11Kms } from './pkcs11-kms.ts';
export type { Pkcs11KmsClient } from './pkcs11-kms-client.ts';
export type { Pkcs11Options, TokenSelector, Wrapping } from './options.ts';
export { parsePkcs11Uri, type Pkcs11Uri } from './uri.ts';
/** {@link openPkcs11Url} under the name by which every provider package opens URLs. */
export { openPkcs11Url as openKmsUrl } from './url.ts';
export { openPkcs11Url, type Pkcs11UrlOptions } from './url.ts';
