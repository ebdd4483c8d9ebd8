import { randomBytes } from 'node:crypto';
import { wrapContext, type EncryptionContext, type ErrorCode, type KmsClient, type WrappedKey } from '@keyfold/core/provider';
import { collect } from '../expect.ts';
import type { PlannedCase } from '../suite.ts';
import type { KmsConformanceOptions, KmsSubject } from './options.ts';

/** What a group of cases is planned from. */
export type KmsOptions<Subject extends KmsSubject> = KmsConformanceOptions<Subject>;

/** A group of cases, with those left out that do not apply. */
export type KmsGroup = <Subject extends KmsSubject>(options: KmsOptions<Subject>) => PlannedCase<Subject>[];

/** The codes that the port permits, and INVALID_ARGUMENT for what no caller may pass. */
export const PORT_CODES: readonly ErrorCode[] = [
  'KEY_NOT_FOUND',
  'KEY_DISABLED',
  'ACCESS_DENIED',
  'AUTHENTICATION_FAILED',
  'INVALID_CIPHERTEXT',
  'INVALID_KEY_USAGE',
  'ROTATION_LIMIT',
  'KMS_THROTTLED',
  'KMS_UNAVAILABLE',
  'KMS_PROTOCOL_ERROR',
  'ABORTED',
  'CLOSED',
  'INVALID_ARGUMENT',
];

const NEVER_MS = 10_000;

export function neverMs<Subject extends KmsSubject>(options: KmsOptions<Subject>): number {
  return options.neverMs ?? NEVER_MS;
}

/** A context as core makes it for the data key of a checkpoint, another one each time. */
export function newContext(): EncryptionContext {
  return wrapContext('checkpoint', 'acme', 'jobs/2041/step-7', randomBytes(16));
}

export function newDek(bytes = 32): Uint8Array {
  return Uint8Array.from(randomBytes(bytes));
}

/** A wrap with everything that is needed to open it. */
export interface Wrap {
  readonly dek: Uint8Array;
  readonly context: EncryptionContext;
  readonly wrapped: WrappedKey;
}

export async function wrapNew(client: KmsClient, bytes = 32): Promise<Wrap> {
  const dek = newDek(bytes);
  const context = newContext();
  return { dek, context, wrapped: await client.encrypt(dek, { context }) };
}

/** Every operation that asks the service, by name; each runs by itself. */
export function operations(client: KmsClient, { wrapped, context }: Wrap, signal?: AbortSignal): Record<Operation, () => Promise<unknown>> {
  return {
    encrypt: () => client.encrypt(newDek(), { context, signal }),
    decrypt: () => client.decrypt(wrapped, { context, signal }),
    generateDataKey: () => client.generateDataKey({ context, signal }),
    currentKeyVersion: () => client.currentKeyVersion({ signal }),
    listKeyVersions: () => collect(client.listKeyVersions({ signal })),
    rotateKey: () => client.rotateKey({ signal }),
  };
}

export type Operation = 'encrypt' | 'decrypt' | 'generateDataKey' | 'currentKeyVersion' | 'listKeyVersions' | 'rotateKey';

/** The operations that use the key, and that therefore fail whenever it cannot be used. */
export const USES_OF_THE_KEY = ['encrypt', 'decrypt', 'generateDataKey'] as const;

/** The operations that only ask about the key: a service may still answer them while the key is off. */
export const QUERIES = ['currentKeyVersion', 'listKeyVersions'] as const;

/** How a new primary comes about, or undefined where nothing that was declared makes one. */
export function rotation<Subject extends KmsSubject>({ rotate, capabilities }: KmsOptions<Subject>): ((subject: Subject) => unknown) | undefined {
  if (rotate !== undefined) return rotate;
  return capabilities.rotation ? ({ client }) => client.rotateKey() : undefined;
}
