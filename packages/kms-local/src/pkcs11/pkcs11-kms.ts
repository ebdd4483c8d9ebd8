import { KeyfoldError, isKeyfoldError } from '@keyfold/core/provider';
import { defaultKeyId } from './key-name.ts';
import { KekVersions } from './kek-versions.ts';
import { wrappingsOf } from './mechanisms.ts';
import { settingsOf, type Pkcs11Options } from './options.ts';
import { Pkcs11KmsClient } from './pkcs11-kms-client.ts';
import { loadModule } from './sdk.ts';
import { Token, type TokenCall } from './token.ts';

/** Keys on PKCS#11 tokens: hardware security modules, smart cards, SoftHSM. */
export const Pkcs11Kms = {
  /**
   * Logs in and opens a key that has at least one version.
   * @throws KeyfoldError NOT_SUPPORTED (pkcs11js is not installed), INVALID_ARGUMENT, CONFIG_INVALID (the module, the PIN
   * file, several tokens that match, a key that must not be used), KMS_UNAVAILABLE (no such token), AUTHENTICATION_FAILED,
   * KEY_NOT_FOUND (use create), INVALID_KEY_USAGE (a token without the mechanisms), KMS_THROTTLED
   */
  open: (options: Pkcs11Options): Promise<Pkcs11KmsClient> => start(options, 'open'),

  /**
   * Makes the token generate the first version of a key, and opens it. Never adds to a key that exists.
   * @throws KeyfoldError ALREADY_EXISTS, ACCESS_DENIED (a write-protected token), and as open
   */
  create: (options: Pkcs11Options): Promise<Pkcs11KmsClient> => start(options, 'create'),
} as const;

async function start(options: Pkcs11Options, how: 'open' | 'create'): Promise<Pkcs11KmsClient> {
  const settings = settingsOf(options);
  const { module, keyLabel, wrapping, maxWrapsPerVersion } = settings;
  const token = new Token(await loadModule(module), settings);
  try {
    const wrappings = await token.run({ doing: 'Asking the token what it can do' }, ({ cryptoki, slot }) =>
      Promise.resolve(wrappingsOf(cryptoki, slot, wrapping)),
    );
    const keks = new KekVersions(settings, wrappings.preferred);
    await token.run({ doing: how === 'open' ? 'Opening the key' : 'Creating the key' }, async (call) => {
      if (how === 'open') {
        await requireKey(keks, call);
        return;
      }
      if (keks.list(call, true).length > 0) throw alreadyExists(keyLabel);
      call.requireAlive();
      await keks.generate(call);
    });
    const keyId = settings.keyId ?? defaultKeyId(token.label, keyLabel);
    return new Pkcs11KmsClient({ token, keks, wrappings, keyId, maxWrapsPerVersion });
  } catch (error) {
    await token.close();
    throw error;
  }
}

/** A key of which every version is disabled opens: otherwise nobody could enable one. */
async function requireKey(keks: KekVersions, call: TokenCall): Promise<void> {
  try {
    await keks.use(call, () => keks.primary(call), () => Promise.resolve());
  } catch (error) {
    if (!isKeyfoldError(error, 'KEY_DISABLED')) throw error;
  }
}

function alreadyExists(keyLabel: string): KeyfoldError {
  return new KeyfoldError('ALREADY_EXISTS', `The token has a key ${JSON.stringify(keyLabel)} already. Open it with Pkcs11Kms.open, or choose another keyLabel.`);
}
