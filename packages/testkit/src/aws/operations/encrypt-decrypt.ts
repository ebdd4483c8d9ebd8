import { required } from '../wire/shape.ts';
import { decryptUnder, encryptUnder, keyOfCiphertext, usableKey } from './cryptographic-key.ts';
import {
  algorithm,
  ciphertext,
  cryptographic,
  define,
  encryptionContext,
  enclave,
  endDryRun,
  keyId,
  plaintext,
  refuseGrantTokens,
  refuseRecipient,
} from './define.ts';

const SYMMETRIC_DEFAULT = 'SYMMETRIC_DEFAULT';

/** Encrypt: it does not say which material it used. */
export const encrypt = define(
  'Encrypt',
  {
    KeyId: required(keyId),
    Plaintext: required(plaintext),
    EncryptionContext: encryptionContext,
    EncryptionAlgorithm: algorithm,
    ...cryptographic,
  },
  (call, input) => {
    refuseGrantTokens(input.GrantTokens);
    const usable = usableKey(call, {
      action: 'Encrypt',
      operation: 'Encrypt',
      identifier: input.KeyId,
      context: input.EncryptionContext,
      algorithm: input.EncryptionAlgorithm,
    });
    endDryRun(input.DryRun);
    return {
      CiphertextBlob: encryptUnder(usable, input.Plaintext, input.EncryptionContext),
      KeyId: usable.key.arn,
      EncryptionAlgorithm: SYMMETRIC_DEFAULT,
    };
  },
);

/** Decrypt: with a KeyId, only what that key encrypted. */
export const decrypt = define(
  'Decrypt',
  {
    CiphertextBlob: required(ciphertext),
    KeyId: keyId,
    EncryptionContext: encryptionContext,
    EncryptionAlgorithm: algorithm,
    ...cryptographic,
    ...enclave,
  },
  (call, input) => {
    refuseGrantTokens(input.GrantTokens);
    refuseRecipient(input.Recipient);
    const { key, material } = keyOfCiphertext(call, {
      action: 'Decrypt',
      operation: 'Decrypt',
      identifier: input.KeyId,
      ciphertext: input.CiphertextBlob,
      context: input.EncryptionContext,
      algorithm: input.EncryptionAlgorithm,
    });
    const opened = decryptUnder(material, input.CiphertextBlob, input.EncryptionContext);
    endDryRun(input.DryRun);
    return { KeyId: key.arn, Plaintext: opened, EncryptionAlgorithm: SYMMETRIC_DEFAULT, KeyMaterialId: material.id };
  },
);

/** ReEncrypt: from one key or context to another, without the plaintext leaving the server. */
export const reEncrypt = define(
  'ReEncrypt',
  {
    CiphertextBlob: required(ciphertext),
    SourceKeyId: keyId,
    SourceEncryptionContext: encryptionContext,
    SourceEncryptionAlgorithm: algorithm,
    DestinationKeyId: required(keyId),
    DestinationEncryptionContext: encryptionContext,
    DestinationEncryptionAlgorithm: algorithm,
    ...cryptographic,
  },
  (call, input) => {
    refuseGrantTokens(input.GrantTokens);
    const source = keyOfCiphertext(call, {
      action: 'ReEncryptFrom',
      operation: 'ReEncrypt',
      identifier: input.SourceKeyId,
      ciphertext: input.CiphertextBlob,
      context: input.SourceEncryptionContext,
      algorithm: input.SourceEncryptionAlgorithm,
    });
    const destination = usableKey(call, {
      action: 'ReEncryptTo',
      operation: 'ReEncrypt',
      identifier: input.DestinationKeyId,
      context: input.DestinationEncryptionContext,
      algorithm: input.DestinationEncryptionAlgorithm,
    });
    const opened = decryptUnder(source.material, input.CiphertextBlob, input.SourceEncryptionContext);
    endDryRun(input.DryRun);
    return {
      CiphertextBlob: encryptUnder(destination, opened, input.DestinationEncryptionContext),
      SourceKeyId: source.key.arn,
      KeyId: destination.key.arn,
      SourceEncryptionAlgorithm: SYMMETRIC_DEFAULT,
      DestinationEncryptionAlgorithm: SYMMETRIC_DEFAULT,
      SourceKeyMaterialId: source.material.id,
      DestinationKeyMaterialId: destination.materials.current.id,
    };
  },
);
