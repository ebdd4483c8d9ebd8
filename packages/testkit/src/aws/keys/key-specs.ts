/** What can be done with a key. */
export type KeyUsage = 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' | 'GENERATE_VERIFY_MAC';

/** What a kind of key is for, and the algorithms that its metadata lists. */
export interface KeySpec {
  readonly usage: KeyUsage;
  readonly algorithms: Readonly<Record<string, readonly string[]>>;
}

const RSA_SIGNING = ['RSASSA_PKCS1_V1_5', 'RSASSA_PSS'].flatMap((scheme) =>
  ['256', '384', '512'].map((bits) => `${scheme}_SHA_${bits}`),
);
const RSA: KeySpec = { usage: 'SIGN_VERIFY', algorithms: { SigningAlgorithms: RSA_SIGNING } };
const mac = (bits: string): KeySpec => ({
  usage: 'GENERATE_VERIFY_MAC',
  algorithms: { MacAlgorithms: [`HMAC_SHA_${bits}`] },
});
const ecdsa = (bits: string): KeySpec => ({
  usage: 'SIGN_VERIFY',
  algorithms: { SigningAlgorithms: [`ECDSA_SHA_${bits}`] },
});

/** The one kind that encrypts. */
export const SYMMETRIC = 'SYMMETRIC_DEFAULT';

/** The kinds of key that CreateKey makes here; all but the first only exist, to be the wrong kind. */
export const KEY_SPECS: Readonly<Record<string, KeySpec>> = {
  [SYMMETRIC]: { usage: 'ENCRYPT_DECRYPT', algorithms: { EncryptionAlgorithms: [SYMMETRIC] } },
  HMAC_224: mac('224'),
  HMAC_256: mac('256'),
  HMAC_384: mac('384'),
  HMAC_512: mac('512'),
  RSA_2048: RSA,
  RSA_3072: RSA,
  RSA_4096: RSA,
  ECC_NIST_P256: ecdsa('256'),
  ECC_NIST_P384: ecdsa('384'),
  ECC_NIST_P521: ecdsa('512'),
};
