import { AwsError, invalidCiphertext } from '../wire/aws-error.ts';
import { decryptBlob, encryptBlob, parseHeader, type EncryptionContext } from '../keys/ciphertext.ts';
import { identifyKey } from '../keys/key-identifier.ts';
import type { KeyMaterial } from '../keys/key-material.ts';
import type { KeyMaterials } from '../keys/key-materials.ts';
import type { KmsKey } from '../keys/kms-key.ts';
import type { Call } from './call.ts';

/** A key that can be used now, and what it does. */
export interface UsableKey {
  readonly key: KmsKey;
  readonly materials: KeyMaterials;
}

/** What a cryptographic operation asks for. */
export interface CryptographicRequest {
  /** The permission, without `kms:`. */
  readonly action: string;
  /** The operation as messages name it. */
  readonly operation: string;
  readonly identifier: string;
  readonly context: EncryptionContext | undefined;
  readonly algorithm?: string | undefined;
}

/** @throws AwsError AccessDenied, NotFound, Disabled, KMSInvalidState or InvalidKeyUsage */
export function usableKey(call: Call, request: CryptographicRequest): UsableKey {
  call.encryptionContext ??= request.context;
  const { action, identifier, context } = request;
  const key = call.useKey({ action, identifier, aliases: 'with aliases', context });
  key.checkUsable(call.now);
  return { key, materials: symmetricMaterials(key, request) };
}

function symmetricMaterials(key: KmsKey, { operation, algorithm = 'SYMMETRIC_DEFAULT' }: CryptographicRequest): KeyMaterials {
  const { materials, spec, usage } = key.init;
  if (materials === undefined) {
    throw new AwsError('InvalidKeyUsageException', `${key.arn} key usage is ${usage} which is not valid for ${operation}.`);
  }
  if (algorithm !== 'SYMMETRIC_DEFAULT') {
    throw new AwsError('InvalidKeyUsageException', `Algorithm ${algorithm} is incompatible with key spec ${spec}.`);
  }
  return materials;
}

/** Encrypts under the current material. */
export function encryptUnder({ key, materials }: UsableKey, plaintext: Uint8Array, context: EncryptionContext | undefined): Uint8Array {
  return encryptBlob(key.init.id, materials.current, plaintext, context);
}

/** What a decryption asks for; the key may be left to the ciphertext. */
export type DecryptionRequest = Omit<CryptographicRequest, 'identifier'> & {
  readonly identifier: string | undefined;
  readonly ciphertext: Uint8Array;
};

/** The key and material that a ciphertext needs, if the caller may use them. */
export function keyOfCiphertext(call: Call, request: DecryptionRequest): UsableKey & { readonly material: KeyMaterial } {
  const { ciphertext, identifier, action, context } = request;
  const header = parseHeader(ciphertext);
  if (identifier === undefined) return byHeader(call, request);
  const named = identifyKey(call.region, identifier, 'with aliases');
  call.keys.push(named.arn);
  call.encryptionContext ??= context;
  call.authorize(action, named.arn, { alias: named.alias, context });
  const key = call.existing(named);
  if (header.keyId !== named.id || key.init.materials === undefined) {
    throw new AwsError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  key.checkUsable(call.now);
  const materials = symmetricMaterials(key, { ...request, identifier });
  return { key, materials, material: materialOf(materials, header.materialId) };
}

/** KMS does not tell a stranger's key from one that is gone. */
function byHeader(call: Call, request: DecryptionRequest): UsableKey & { readonly material: KeyMaterial } {
  const { keyId, materialId } = parseHeader(request.ciphertext);
  const key = call.region.keys.get(keyId);
  if (key === undefined) {
    throw new AwsError(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    );
  }
  const usable = usableKey(call, { ...request, identifier: keyId });
  return { ...usable, material: materialOf(usable.materials, materialId) };
}

function materialOf(materials: KeyMaterials, materialId: string): KeyMaterial {
  const material = materials.find(materialId);
  if (material === undefined) throw invalidCiphertext();
  return material;
}

/** @throws AwsError InvalidCiphertextException */
export function decryptUnder(material: KeyMaterial, ciphertext: Uint8Array, context: EncryptionContext | undefined): Uint8Array {
  return decryptBlob(material, ciphertext, context);
}
