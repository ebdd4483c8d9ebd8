import { randomBytes, randomUUID } from 'node:crypto';
import type { Fault } from '../faults/fault.ts';
import { expiredToken } from './auth/principals.ts';
import type { Output } from './operations/operation.ts';
import { AwsError } from './wire/aws-error.ts';

/** The error that a fault answers with, or undefined when it does something else. */
export function faultError(fault: Fault): AwsError | undefined {
  if (fault.kind === 'error') return new AwsError(fault.code, fault.message ?? 'A fault was asked for.', fault.status);
  if (fault.kind === 'throttle') return new AwsError('ThrottlingException', 'Rate exceeded');
  return fault.kind === 'expired-credentials' ? expiredToken() : undefined;
}

/** An answer with the faults that concern what is in it. */
export function withKeyFault(output: Output, fault: Fault | undefined): Output {
  if (fault?.kind === 'wrong-key-id') return { ...output, KeyId: otherKeyId(output['KeyId']) };
  if (fault?.kind === 'omit') return without(output, fault.members);
  const key = output['Plaintext'];
  if (!(key instanceof Uint8Array)) return output;
  if (fault?.kind === 'wrong-key') return { ...output, Plaintext: otherBytes(key) };
  return fault?.kind === 'short-key' ? { ...output, Plaintext: key.subarray(0, fault.bytes ?? 16) } : output;
}

/** Random bytes of the same length, of which the first differs for certain. */
function otherBytes(key: Uint8Array): Uint8Array {
  const other = new Uint8Array(randomBytes(key.length));
  other[0] = (key[0] ?? 0) ^ 0xff;
  return other;
}

function otherKeyId(keyId: unknown): string {
  return String(keyId).replace(/[^/]*$/, randomUUID());
}

/** At every depth: `KeyMetadata.CurrentKeyMaterialId` goes by its last name. */
function without(output: Output, members: readonly string[]): Output {
  return Object.fromEntries(
    Object.entries(output)
      .filter(([name]) => !members.includes(name))
      .map(([name, value]) => [name, isPlain(value) ? without(value, members) : value]),
  );
}

function isPlain(value: unknown): value is Output {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
