import { KeyfoldError, isKeyfoldError, type KeyVersion, type KeyVersionState } from '@keyfold/core/provider';
import { listAliases } from './alias-listing.ts';
import { keyArn, keyIdBeside, type ResolvedKey } from './key-name.ts';
import type { KmsCalls, SignalOptions } from './kms-calls.ts';
import type { AwsKeyMetadata, AwsKeyRotation } from './sdk.ts';

const MATERIAL = /^[A-Za-z0-9_-]{1,100}$/;
const ALIAS_VERSION = /^([A-Za-z0-9_-]{1,128})(?:\/[A-Za-z0-9_-]{1,100})?$/;
/** What AWS calls material that wraps or unwraps; what is still pending is no version. */
const IN_USE = new Set(['CURRENT', 'NON_CURRENT', undefined]);

/**
 * The stored name of a version (spec/aws-kms, 3): a key's is its key material's
 * id; an alias' begins with the id of the key behind it. A service that tells of
 * no material leaves that part out.
 */
export function versionName(key: ResolvedKey, keyId: string, material: string | undefined): string {
  if (material !== undefined && !MATERIAL.test(material)) {
    throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS gave a key material id that is none.');
  }
  if (key.kind === 'key') return material ?? '';
  return material === undefined ? keyId : `${keyId}/${material}`;
}

/** The key that a stored version of an alias names, or undefined when it is no such name. */
export function keyOfVersion(version: string): string | undefined {
  return ALIAS_VERSION.exec(version)?.[1];
}

/** What a key's state means for its versions. `Updating` is the moment in which another region becomes the primary. */
export function stateOf(metadata: AwsKeyMetadata): KeyVersionState {
  if (metadata.KeyState === undefined) return 'unknown';
  return metadata.KeyState === 'Enabled' || metadata.KeyState === 'Updating' ? 'enabled' : 'disabled';
}

/** Reads a key's metadata, and refuses an answer about another key. */
export async function describeKey(calls: KmsCalls, key: ResolvedKey, asked: string, signals: SignalOptions): Promise<AwsKeyMetadata & { readonly KeyId: string }> {
  const { KeyMetadata: metadata } = await calls.call('DescribeKey', signals, (api, options) => api.describeKey({ KeyId: asked }, options));
  const keyId = keyIdBeside(key, metadata?.Arn);
  if (metadata === undefined || keyId === undefined || (asked !== key.arn && asked !== metadata.Arn) || (key.kind === 'key' && keyId !== key.name)) {
    throw new KeyfoldError('KMS_PROTOCOL_ERROR', 'AWS KMS described another key than it was asked for.');
  }
  return { ...metadata, KeyId: keyId };
}

/** The versions of the configured key: its key materials, or those of every key behind the alias. */
export class KeyVersions {
  readonly #calls: KmsCalls;
  readonly #key: ResolvedKey;
  /** When a material came into use never changes. */
  readonly #dates = new Map<string, number>();

  constructor(calls: KmsCalls, key: ResolvedKey) {
    this.#calls = calls;
    this.#key = key;
  }

  /** The version that wraps now. */
  async current(signals: SignalOptions): Promise<KeyVersion> {
    const metadata = await describeKey(this.#calls, this.#key, this.#key.arn, signals);
    return this.currentOf(metadata, signals);
  }

  /** The current version of a key that was just described. */
  async currentOf(metadata: AwsKeyMetadata & { readonly KeyId: string }, signals: SignalOptions): Promise<KeyVersion> {
    const material = metadata.CurrentKeyMaterialId;
    const id = versionName(this.#key, metadata.KeyId, material);
    return { id, createdAt: await this.#dateOf(metadata, material, signals), state: stateOf(metadata), primary: true };
  }

  /** Every version, newest first; each key behind an alias is asked when its turn comes. */
  async *list(signals: SignalOptions): AsyncGenerator<KeyVersion, void, undefined> {
    const primary = await describeKey(this.#calls, this.#key, this.#key.arn, signals);
    yield* await this.#versionsOf(primary, true, signals);
    if (this.#key.kind === 'key') return;
    const { numbered } = await listAliases(this.#calls, this.#key, signals);
    for (const keyId of new Set(numbered.map((alias) => alias.keyId))) {
      if (keyId === primary.KeyId) continue;
      const metadata = await describeKey(this.#calls, this.#key, keyArn(this.#key, keyId), signals);
      yield* await this.#versionsOf(metadata, false, signals);
    }
  }

  async #versionsOf(metadata: AwsKeyMetadata & { readonly KeyId: string }, primaryKey: boolean, signals: SignalOptions): Promise<KeyVersion[]> {
    const current = metadata.CurrentKeyMaterialId;
    const state = stateOf(metadata);
    const listed = current === undefined ? [] : await this.#materials(metadata, signals);
    const versions = listed.map((entry) => ({
      id: versionName(this.#key, metadata.KeyId, entry.KeyMaterialId),
      createdAt: this.#note(metadata, entry),
      state: entry.ImportState === 'PENDING_IMPORT' ? 'disabled' as const : state,
      primary: primaryKey && entry.KeyMaterialId === current,
    }));
    // Where no materials are listed, or not yet the newest, the key still has the one that it names.
    if (!listed.some((entry) => entry.KeyMaterialId === current)) {
      versions.push({ id: versionName(this.#key, metadata.KeyId, current), createdAt: current === undefined ? metadata.CreationDate?.getTime() : undefined, state, primary: primaryKey });
    }
    return versions.sort((a, b) => Number(b.primary) - Number(a.primary) || (b.createdAt ?? 0) - (a.createdAt ?? 0));
  }

  async #dateOf(metadata: AwsKeyMetadata & { readonly KeyId: string }, material: string | undefined, signals: SignalOptions): Promise<number | undefined> {
    if (material === undefined) return metadata.CreationDate?.getTime();
    if (!this.#dates.has(material)) {
      try {
        for (const entry of await this.#materials(metadata, signals)) this.#note(metadata, entry);
      } catch (error) {
        // Who may wrap need not be allowed to read the history: then the date is unknown.
        if (!isKeyfoldError(error, 'ACCESS_DENIED')) throw error;
      }
    }
    return this.#dates.get(material);
  }

  async #materials(metadata: AwsKeyMetadata & { readonly KeyId: string }, signals: SignalOptions): Promise<AwsKeyRotation[]> {
    const asked = { KeyId: keyArn(this.#key, metadata.KeyId), IncludeKeyMaterial: 'ALL_KEY_MATERIAL' as const };
    const found: AwsKeyRotation[] = [];
    const pages = this.#calls.pages('ListKeyRotations', signals, (api, page, options) => api.listKeyRotations({ ...asked, ...page }, options));
    for await (const { Rotations: entries = [] } of pages) {
      found.push(...entries.filter((entry) => entry.KeyMaterialId !== undefined && IN_USE.has(entry.KeyMaterialState)));
    }
    return found;
  }

  /** The first material is as old as its key; AWS gives a date to the later ones only. */
  #note(metadata: AwsKeyMetadata, { KeyMaterialId: material, RotationDate: rotated }: AwsKeyRotation): number | undefined {
    const date = (rotated ?? metadata.CreationDate)?.getTime();
    if (material !== undefined && date !== undefined) this.#dates.set(material, date);
    return date;
  }
}
