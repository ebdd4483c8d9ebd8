import { KeyfoldError, type KeyVersion, type KmsCallOptions, type WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import { turn } from '../support/failures.ts';
import { memoryOptions } from '../support/memory-options.ts';
import { broken, declared, type Mutant } from './mutant.ts';

const { capabilities } = memoryOptions();

type Signalled = Parameters<MemoryKms['rotateKey']>[0];

/** Its wraps name versions that nothing else knows. */
class NamesOtherVersions extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const wrapped = await super.encrypt(plaintext, options);
    return { ...wrapped, keyVersion: `v${wrapped.keyVersion}` };
  }

  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return super.decrypt({ ...wrapped, keyVersion: wrapped.keyVersion.replace('v', '') }, options);
  }
}

/** The same, with data keys alone. */
class NamesOtherVersionsOfDataKeys extends MemoryKms {
  override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
    const { plaintext, wrapped } = await super.generateDataKey(options);
    return { plaintext, wrapped: { ...wrapped, keyVersion: `v${wrapped.keyVersion}` } };
  }

  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return super.decrypt({ ...wrapped, keyVersion: wrapped.keyVersion.replace('v', '') }, options);
  }
}

function listing(list: (versions: readonly KeyVersion[]) => readonly KeyVersion[]): typeof MemoryKms {
  return class extends MemoryKms {
    override async *listKeyVersions(options?: Signalled): AsyncIterable<KeyVersion> {
      const versions: KeyVersion[] = [];
      for await (const version of super.listKeyVersions(options)) versions.push(version);
      yield* list(versions);
    }
  };
}

function describing(change: (version: KeyVersion) => KeyVersion): typeof MemoryKms {
  return class extends listing((versions) => versions.map(change)) {
    override async currentKeyVersion(options?: Signalled): Promise<KeyVersion> {
      return change(await super.currentKeyVersion(options));
    }
  };
}

class ReportsUndeclaredVersions extends MemoryKms {
  override readonly capabilities = { ...capabilities, versions: false };
}

class RotatesUndeclared extends MemoryKms {
  override readonly capabilities = { ...capabilities, rotation: false };
}

class ForgetsOldVersions extends MemoryKms {
  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    const opened = await super.decrypt(wrapped, options);
    if (wrapped.keyVersion === (await this.currentKeyVersion()).id) return opened;
    throw new KeyfoldError('KEY_NOT_FOUND', 'The memory KMS has no such version.');
  }
}

/** What is wrapped while it rotates gets the name of the wrong version. */
class ConfusedByRotation extends MemoryKms {
  #rotating = false;

  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const wrapped = await super.encrypt(plaintext, options);
    return this.#rotating ? { ...wrapped, keyVersion: String(Number(wrapped.keyVersion) + 1) } : wrapped;
  }

  override async rotateKey(options?: Signalled): Promise<KeyVersion> {
    this.#rotating = true;
    await turn();
    this.#rotating = false;
    return super.rotateKey(options);
  }
}

class PretendsToRotate extends MemoryKms {
  override async rotateKey(options?: Signalled): Promise<KeyVersion> {
    return this.currentKeyVersion(options);
  }
}

class AnswersWithTheOldVersion extends MemoryKms {
  override async rotateKey(options?: Signalled): Promise<KeyVersion> {
    const old = await this.currentKeyVersion(options);
    await super.rotateKey(options);
    return old;
  }
}

/** Two versions of which neither is newer by its own account than what was before it. */
const agedBackwards = listing((versions) => versions.map((version) => ({ ...version, createdAt: 1_700_000_000_000 + Number(version.id) })).reverse());

export const VERSIONS: readonly Mutant[] = [
  broken('names other versions in its wraps', NamesOtherVersions, ['rotate.new-primary', 'version.current']),
  broken('names other versions with its data keys', NamesOtherVersionsOfDataKeys, ['rotate.new-primary', 'version.current']),
  broken('lists versions twice', listing((versions) => [...versions, ...versions]), ['rotate.new-primary', 'version.list']),
  broken('lists no primary', listing((versions) => versions.map((version) => ({ ...version, primary: false }))), ['rotate.new-primary', 'version.list']),
  broken('lists two primaries', listing((versions) => versions.map((version) => ({ ...version, primary: true }))), ['rotate.new-primary']),
  broken('lists another primary than the current version', listing((versions) => versions.map((version) => ({ ...version, state: 'unknown' }))), ['rotate.new-primary', 'version.list']),
  broken('lists the new version alone', listing((versions) => versions.filter(({ primary }) => primary)), ['rotate.new-primary']),
  broken('lists the oldest version first', agedBackwards, ['rotate.new-primary', 'version.list']),
  broken('tells times in seconds', describing((version) => ({ ...version, createdAt: 1_700_000_000 })), ['rotate.new-primary', 'version.current', 'version.list']),
  broken('calls the version that wraps disabled', describing((version) => ({ ...version, state: 'disabled' })), ['version.current']),
  declared('reports versions that it declares not to have', { capabilities: { ...capabilities, versions: false } }, ['version.none'], ReportsUndeclaredVersions),
  declared('rotates though it declares that it cannot', { capabilities: { ...capabilities, rotation: false } }, ['rotate.refused'], RotatesUndeclared),
  declared('rotates though it declares that it cannot, and others rotate too', { capabilities: { ...capabilities, rotation: false }, rotate: ({ client }) => client.rotateKey() }, ['rotate.refused'], RotatesUndeclared),
  broken('forgets old versions', ForgetsOldVersions, ['rotate.meanwhile', 'rotate.old-wraps']),
  broken('names the wrong version while it rotates', ConfusedByRotation, ['rotate.meanwhile']),
  broken('pretends to rotate', PretendsToRotate, ['rotate.new-primary']),
  broken('answers a rotation with the old version', AnswersWithTheOldVersion, ['rotate.answer']),
];
