import { randomBytes } from 'node:crypto';
import { validationError } from '../wire/aws-error.ts';
import { integer, required, text, type Parsed } from '../wire/shape.ts';
import type { Call } from './call.ts';
import { encryptUnder, usableKey } from './cryptographic-key.ts';
import { cryptographic, define, enclave, encryptionContext, endDryRun, keyId, refuseGrantTokens, refuseRecipient } from './define.ts';
import type { Output } from './operation.ts';

const BYTES: Readonly<Record<string, number>> = { AES_256: 32, AES_128: 16 };

const input = {
  KeyId: required(keyId),
  EncryptionContext: encryptionContext,
  KeySpec: text({ values: Object.keys(BYTES) }),
  NumberOfBytes: integer({ min: 1, max: 1024 }),
  ...cryptographic,
} as const;

/** GenerateDataKey. */
export const generateDataKey = define('GenerateDataKey', { ...input, ...enclave }, (call, request) => {
  refuseRecipient(request.Recipient);
  return generate(call, 'GenerateDataKey', request);
});

/** GenerateDataKeyWithoutPlaintext. */
export const generateDataKeyWithoutPlaintext = define('GenerateDataKeyWithoutPlaintext', input, (call, request) => {
  return { ...generate(call, 'GenerateDataKeyWithoutPlaintext', request), Plaintext: undefined };
});

function generate(call: Call, operation: string, request: Parsed<typeof input>): Output {
  refuseGrantTokens(request.GrantTokens);
  const length = lengthOf(request.KeySpec, request.NumberOfBytes);
  const context = request.EncryptionContext;
  const usable = usableKey(call, { action: operation, operation, identifier: request.KeyId, context });
  endDryRun(request.DryRun);
  const dataKey = new Uint8Array(randomBytes(length));
  return {
    CiphertextBlob: encryptUnder(usable, dataKey, context),
    Plaintext: dataKey,
    KeyId: usable.key.arn,
    KeyMaterialId: usable.materials.current.id,
  };
}

function lengthOf(keySpec: string | undefined, numberOfBytes: number | undefined): number {
  if ((keySpec === undefined) === (numberOfBytes === undefined)) {
    throw validationError('Please specify either number of bytes or key spec.');
  }
  return numberOfBytes ?? BYTES[keySpec ?? ''] ?? 0;
}
