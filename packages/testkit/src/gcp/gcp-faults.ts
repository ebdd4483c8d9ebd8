import { randomBytes } from 'node:crypto';
import type { Fault } from '../faults/fault.ts';
import { unauthenticated } from './auth/principals.ts';
import { parentOf } from './keys/resource-name.ts';
import type { Plain } from './wire/fields.ts';
import { GcpError, isFailure, type StatusName } from './wire/gcp-error.ts';

/** The status that a fault answers with, or undefined when it does something else. */
export function faultError(fault: Fault): GcpError | undefined {
  if (fault.kind === 'error') return new GcpError(statusNamed(fault.code), fault.message ?? 'A fault was asked for.');
  if (fault.kind === 'throttle') return new GcpError('RESOURCE_EXHAUSTED', "Quota exceeded for quota metric 'Cryptographic requests'.");
  // What every gRPC client makes of such a page.
  if (fault.kind === 'html-503') return new GcpError('UNAVAILABLE', 'Received HTTP status code 503');
  return fault.kind === 'expired-credentials' ? unauthenticated() : undefined;
}

/** A code that gRPC does not have comes as UNKNOWN, as it does from servers. */
function statusNamed(code: string): StatusName {
  return isFailure(code) ? code : 'UNKNOWN';
}

/** An answer with the faults that concern what is in it. Checksums stay those of the right bytes. */
export function withAnswerFault(answer: Plain, fault: Fault | undefined): Plain {
  if (fault?.kind === 'wrong-key') return changedKey(answer, otherBytes);
  if (fault?.kind === 'short-key') return changedKey(answer, (key) => key.subarray(0, fault.bytes ?? 16));
  if (fault?.kind === 'wrong-key-id') return typeof answer['name'] === 'string' ? { ...answer, name: otherName(answer['name']) } : answer;
  if (fault?.kind === 'wrong-crc') return withWrongChecksums(answer);
  return fault?.kind === 'omit' ? without(answer, fault.members) : answer;
}

/** A key in clear is changed itself; a wrap is said to be of bytes that were not the caller's. */
function changedKey(answer: Plain, change: (key: Uint8Array) => Uint8Array): Plain {
  const { plaintext } = answer;
  if (plaintext instanceof Uint8Array) return { ...answer, plaintext: change(plaintext) };
  return 'verifiedPlaintextCrc32c' in answer ? { ...answer, verifiedPlaintextCrc32c: false } : answer;
}

/** Random bytes of the same length, of which the first differs for certain. */
function otherBytes(key: Uint8Array): Uint8Array {
  const other = new Uint8Array(randomBytes(key.length));
  other[0] = (key[0] ?? 0) ^ 0xff;
  return other;
}

/** The same kind of name, of another CryptoKey. */
function otherName(name: string): string {
  const version = /\/cryptoKeyVersions\/\d+$/.exec(name)?.[0] ?? '';
  const key = name.slice(0, name.length - version.length);
  return `${parentOf(key)}/cryptoKeys/another${version}`;
}

function withWrongChecksums(answer: Plain): Plain {
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => {
      const checksum = name.endsWith('Crc32c') ? (value as { value?: unknown }).value : undefined;
      return [name, typeof checksum === 'number' ? { value: (checksum ^ 1) >>> 0 } : value];
    }),
  );
}

/** At every depth: `primary.state` goes by its last name. */
function without(answer: Plain, members: readonly string[]): Plain {
  return Object.fromEntries(
    Object.entries(answer)
      .filter(([name]) => !members.includes(name))
      .map(([name, value]) => [name, isPlain(value) ? without(value, members) : value]),
  );
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
