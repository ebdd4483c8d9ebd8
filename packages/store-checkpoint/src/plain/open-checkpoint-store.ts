import { Auditor, Meter, systemClock } from '@keyfold/core';
import type { CheckpointStore } from '../checkpoint-store.ts';
import { EncryptedCheckpointStore } from '../encrypted/encrypted-checkpoint-store.ts';
import { invalid, resolveEncryption } from '../encrypted/encryption-config.ts';
import { type EncryptedCheckpointStoreOptions, checkOptions } from '../encrypted/options.ts';
import type { CheckpointReceipt } from '../encrypted/receipt.ts';
import { WHOLE_STORE } from '../encrypted/trail.ts';
import { PlainCheckpointStore, type PlainReceipt } from './plain-checkpoint-store.ts';

/** What has to be said, word for word, before a store writes plaintext. */
export const PLAINTEXT_ACKNOWLEDGEMENT = 'I accept that checkpoints are not encrypted';

export interface OpenCheckpointStoreOptions extends EncryptedCheckpointStoreOptions {
  /** Needed with `encryption.enabled: false`, and refused without it. */
  readonly allowPlaintext?: typeof PLAINTEXT_ACKNOWLEDGEMENT;
  /** Told in a sentence when the store that opens does not encrypt. */
  readonly onWarning?: (warning: string) => void;
}

const WARNING = 'encryption.enabled is false: checkpoints are written and read as plaintext by this store. Whoever can read the storage can read them.';

/**
 * The store that a configuration asks for: an encrypted one, or with
 * `encryption.enabled: false` and {@link PLAINTEXT_ACKNOWLEDGEMENT} a
 * {@link PlainCheckpointStore}. That one opens loudly: an event
 * (`checkpoint.open-plaintext`), a count and a warning, each time. It neither
 * reads nor touches what is encrypted.
 * @throws KeyfoldError as {@link EncryptedCheckpointStore.open}; CONFIG_INVALID also without the acknowledgement, AUDIT_FAILED
 */
export async function openCheckpointStore(options: OpenCheckpointStoreOptions): Promise<CheckpointStore<CheckpointReceipt | PlainReceipt>> {
  if (typeof options !== 'object' || (options as unknown) === null) throw invalid('openCheckpointStore() takes an object, and needs "objects", "kms" and "tenant".');
  const { allowPlaintext, onWarning, ...rest } = options;
  if (onWarning !== undefined && typeof onWarning !== 'function') throw invalid('onWarning must be a function.');
  if (rest.encryption?.enabled === false) return openPlaintext(rest, allowPlaintext, onWarning);
  if (allowPlaintext !== undefined) throw invalid('allowPlaintext is given and encryption.enabled is not false. Leave one of them out: nothing is written in plaintext while encryption is on.');
  return EncryptedCheckpointStore.open(rest);
}

async function openPlaintext(
  options: EncryptedCheckpointStoreOptions,
  acknowledgement: string | undefined,
  onWarning: OpenCheckpointStoreOptions['onWarning'],
): Promise<PlainCheckpointStore> {
  checkOptions(options);
  resolveEncryption({ ...options.encryption, enabled: true }, options.audit);
  const { objects, tenant, audit, metrics, metricsPrefix, clock = systemClock } = options;
  if (acknowledgement !== PLAINTEXT_ACKNOWLEDGEMENT) {
    throw invalid(`encryption.enabled is false, so nothing would be encrypted. If that is meant, pass allowPlaintext: '${PLAINTEXT_ACKNOWLEDGEMENT}'.`);
  }
  if (options.migration !== undefined || options.hideNames === true) throw invalid('migration and hideNames are for encrypted stores. Leave them out, or enable encryption.');
  await new Auditor(audit, clock).success({ action: 'checkpoint.open-plaintext', tenant, scope: WHOLE_STORE });
  new Meter(metrics, metricsPrefix).increment('plaintextUses', { use: 'open' });
  onWarning?.(WARNING);
  return new PlainCheckpointStore({ objects });
}
