import { KeyfoldError, encodeWrapContext, isKeyfoldError, type EncryptionContext, type KmsCallOptions, type WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import { ERROR_CASES, broken, declared, type Mutant } from './mutant.ts';

/** Binds something else than the context that it is given. */
function binding(bound: (context: EncryptionContext) => EncryptionContext): typeof MemoryKms {
  const instead = (options: KmsCallOptions): KmsCallOptions => {
    encodeWrapContext(options.context);
    return { ...options, context: bound(options.context) };
  };
  return class extends MemoryKms {
    override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
      return super.encrypt(plaintext, instead(options));
    }

    override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
      return super.decrypt(wrapped, instead(options));
    }

    override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
      return super.generateDataKey(instead(options));
    }
  };
}

function mapped(context: EncryptionContext, change: (name: string, value: string) => string): EncryptionContext {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [name, change(name, value)]));
}

const KNOWN: readonly string[] = ['purpose', 'use', 'tenant', 'scope', 'dek'];

class DeclaresNoRotation extends MemoryKms {
  override readonly capabilities = { authenticatedWraps: true, contextBinding: 'aad', rotation: false, versions: true } as const;
}

class OpensForeignWraps extends MemoryKms {
  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return super.decrypt({ ...wrapped, provider: this.provider, keyId: this.keyId }, options);
  }
}

/** Calls a foreign wrap damaged. */
class MisnamesForeignWraps extends MemoryKms {
  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    try {
      return await super.decrypt(wrapped, options);
    } catch (error) {
      if (!isKeyfoldError(error, 'KEY_NOT_FOUND') || wrapped.keyId === this.keyId && wrapped.provider === this.provider) throw error;
      throw new KeyfoldError('INVALID_CIPHERTEXT', 'The memory KMS refuses the wrap.');
    }
  }
}

/** Lets the service decide about wraps that are none of its business. */
class AsksAboutForeignWraps extends MemoryKms {
  override async decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    if (wrapped.keyId !== this.keyId) await this.currentKeyVersion({ signal: options.signal });
    return super.decrypt(wrapped, options);
  }
}

class TakesLongKeys extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    return super.encrypt(plaintext.slice(0, 64), options);
  }
}

class MisnamesArguments extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    try {
      return await super.encrypt(plaintext, options);
    } catch (error) {
      throw isKeyfoldError(error, 'INVALID_ARGUMENT') ? new KeyfoldError('KMS_PROTOCOL_ERROR', 'The memory KMS refuses the key.') : error;
    }
  }
}

class AsksAboutArguments extends MemoryKms {
  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    const copy = Uint8Array.from(plaintext);
    await this.currentKeyVersion({ signal: options.signal });
    return super.encrypt(copy, options);
  }
}

export const NAMING: readonly Mutant[] = [
  broken('ignores the context', binding(() => ({ any: '' })), ['context.added', 'context.alike', 'context.changed', 'context.removed', ...ERROR_CASES]),
  broken('binds members in the order they come', binding((context) => ({ text: JSON.stringify(context) })), ['wrap.order-of-context']),
  broken('binds that there is a scope, not which', binding((context) => mapped(context, (name, value) => (name === 'scope' ? '' : value))), ['context.changed']),
  broken('has a default for a missing member', binding((context) => ({ scope: 'jobs/2041/step-7', ...context })), ['context.removed']),
  broken('ignores members that it does not know', binding((context) => Object.fromEntries(Object.entries(context).filter(([name]) => KNOWN.includes(name)))), ['context.added']),
  broken('takes letters of the same look for the same', binding((context) => mapped(context, (_, value) => value.normalize('NFC'))), ['context.alike']),
  broken('takes capitals for small letters', binding((context) => mapped(context, (_, value) => value.toLowerCase())), ['context.alike']),
  broken('joins a context to a text without escaping', binding((context) => ({ text: Object.entries(context).sort().map((each) => each.join('=')).join('&') })), ['context.alike']),
  broken('declares less than it can do', DeclaresNoRotation, ['name.declared']),
  declared('gives two keys one id', { setUp: () => ({ client: new MemoryKms('one'), other: new MemoryKms('one') }) }, ['name.declared', 'name.foreign', 'name.foreign-unsent']),
  broken('opens wraps that name another key', OpensForeignWraps, ['name.foreign', 'name.foreign-unsent', ...ERROR_CASES]),
  broken('calls foreign wraps damaged', MisnamesForeignWraps, ['name.foreign']),
  broken('asks the service about foreign wraps', AsksAboutForeignWraps, ['name.foreign-unsent']),
  broken('cuts keys that are too long', TakesLongKeys, ['name.arguments', 'name.arguments-unsent', ...ERROR_CASES]),
  broken('calls impossible arguments a failure of the service', MisnamesArguments, ['name.arguments']),
  broken('asks the service before it looks at arguments', AsksAboutArguments, ['name.arguments-unsent']),
];
