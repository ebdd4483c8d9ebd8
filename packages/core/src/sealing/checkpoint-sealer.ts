import type { KeyObject } from 'node:crypto';
import { isUint8Array } from 'node:util/types';
import { concatBytes } from '../bytes.ts';
import type { Clock } from '../clock.ts';
import { SALT_BYTES } from '../crypto/message-keys.ts';
import type { RandomSource } from '../crypto/random.ts';
import { SecretBytes } from '../crypto/secret-bytes.ts';
import type { MessageCipher, StreamSealer } from '../crypto/suite.ts';
import { KeyfoldError } from '../errors.ts';
import { dataBinding, encodeDataHeader } from '../format/checkpoint.ts';
import { checkpointContext, wrapContext } from '../format/context.ts';
import type { KeyRecord, WrappedKey } from '../format/key-record.ts';
import type { KmsClient } from '../ports/kms-client.ts';
import { type CheckpointMetadata, encodeMetadata, sealMetadata } from './metadata.ts';
import type { CheckpointIdentity } from './open-key-record.ts';
import { signKeyRecord } from './record-mac.ts';
import { ALL_SUITES, DEFAULT_SUITE, SUITES, type SuiteName, isSuiteName } from './suites.ts';

export interface SealCheckpointOptions extends CheckpointIdentity {
  readonly kms: KmsClient;
  readonly metadata?: CheckpointMetadata;
  /** Default `aes-256-gcm`. */
  readonly suite?: SuiteName;
  /** The record's generation: 1, or one more than the record that it replaces. Default 1. */
  readonly generation?: number;
  /** Dates the record. Default the machine's. */
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Where a sealer takes what must not be chosen by callers. */
export interface SealingSources {
  readonly random: RandomSource;
  readonly clock: Clock;
}

/**
 * One checkpoint being sealed under a DEK of its own, made by one KMS call.
 * Write `lead`, then what push() and end() give; then publish `record`.
 */
export class CheckpointSealer {
  /** 16 bytes, drawn anew for every save. */
  readonly objectId: Uint8Array;
  readonly dekId: Uint8Array;
  /** 32 bytes: binds data, key and context; part of the receipt. */
  readonly commitment: Uint8Array;
  /** What the data object begins with: header, salt and commitment (96 bytes). */
  readonly lead: Uint8Array;
  /** The encoded key record. */
  readonly record: Uint8Array;
  readonly wrap: WrappedKey;
  readonly #frames: StreamSealer;

  private constructor(parts: CheckpointParts, frames: StreamSealer) {
    this.objectId = parts.objectId;
    this.dekId = parts.dekId;
    this.commitment = parts.commitment;
    this.lead = parts.lead;
    this.record = parts.record;
    this.wrap = parts.wrap;
    this.#frames = frames;
  }

  /**
   * Draws ids and salt, has the KMS make and wrap a DEK, and seals the metadata.
   * The DEK is zeroed before this resolves; only keys derived from it live on.
   * @throws KeyfoldError INVALID_ARGUMENT, LIMIT_EXCEEDED, and what the KMS gives
   */
  static async begin(options: SealCheckpointOptions, sources: SealingSources): Promise<CheckpointSealer> {
    const json = encodeMetadata(options.metadata ?? {});
    checkpointContext(options.tenant, options.checkpoint);
    checkChoices(options);
    const dekId = sources.random.bytes(16);
    const { plaintext, wrapped } = await options.kms.generateDataKey({
      context: wrapContext('checkpoint', options.tenant, options.checkpoint, dekId),
      signal: options.signal,
    });
    const secret = SecretBytes.adopt(plaintext);
    try {
      const parts = prepare(options, sources, { dek: secret.toKeyObject(), dekId, wrap: wrapped, json });
      return new CheckpointSealer(parts, parts.cipher.sealer(sources.random));
    } finally {
      secret.dispose();
    }
  }

  /**
   * Ciphertext for the next plaintext, whose memory may be reused afterwards.
   * @throws KeyfoldError INVALID_ARGUMENT for anything but a Uint8Array, LIMIT_EXCEEDED, CLOSED after end()
   */
  push(plaintext: Uint8Array): Uint8Array[] {
    // A string has no byteLength: it would be sealed as nothing at all.
    if (!isUint8Array(plaintext)) throw new KeyfoldError('INVALID_ARGUMENT', 'A checkpoint is sealed from chunks of type Uint8Array.');
    return this.#frames.push(plaintext);
  }

  /**
   * The end of the last frame.
   * @throws KeyfoldError CLOSED when called again
   */
  end(): Uint8Array {
    return this.#frames.end();
  }
}

interface CheckpointParts {
  readonly objectId: Uint8Array;
  readonly dekId: Uint8Array;
  readonly commitment: Uint8Array;
  readonly lead: Uint8Array;
  readonly record: Uint8Array;
  readonly wrap: WrappedKey;
  readonly cipher: MessageCipher;
}

/** What would otherwise be found out only after the KMS was asked. */
function checkChoices({ suite = DEFAULT_SUITE, generation = 1 }: SealCheckpointOptions): void {
  if (!isSuiteName(suite)) throw new KeyfoldError('INVALID_ARGUMENT', `The suite must be one of ${ALL_SUITES.join(', ')}.`);
  if (!Number.isSafeInteger(generation) || generation < 1) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'A generation is an integer from 1 to 2^53 - 1.');
  }
}

function prepare(
  options: SealCheckpointOptions,
  { random, clock }: SealingSources,
  key: { readonly dek: KeyObject; readonly dekId: Uint8Array; readonly wrap: WrappedKey; readonly json: Uint8Array },
): CheckpointParts {
  const suite = SUITES[options.suite ?? DEFAULT_SUITE];
  const context = checkpointContext(options.tenant, options.checkpoint);
  const header = { suite: suite.id, objectId: random.bytes(16), dekId: key.dekId };
  const salt = random.bytes(SALT_BYTES);
  const cipher = suite.derive(key.dek, salt, dataBinding(header, context));
  const record: KeyRecord = {
    ...header,
    use: 'checkpoint',
    state: 'active',
    generation: options.generation ?? 1,
    created: Math.floor(clock.now()),
    binding: cipher.commitment,
    sealedMetadata: sealMetadata(key.dek, header, context, key.json, random),
    wraps: [key.wrap],
  };
  return {
    objectId: header.objectId,
    dekId: header.dekId,
    commitment: cipher.commitment,
    lead: concatBytes(encodeDataHeader(header), salt, cipher.commitment),
    record: signKeyRecord(key.dek, record),
    wrap: key.wrap,
    cipher,
  };
}
