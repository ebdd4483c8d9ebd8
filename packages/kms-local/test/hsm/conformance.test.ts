import { kmsClientConformance } from '@keyfold/testkit';
import { describe, expect, it } from 'vitest';
import { Pkcs11Kms, type Pkcs11KmsClient, type Pkcs11Options, type Wrapping } from '../../src/pkcs11/index.ts';
import { PIN, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

interface Keys {
  readonly client: Pkcs11KmsClient;
  readonly other: Pkcs11KmsClient;
  readonly options: Pkcs11Options;
}

/** Every return value that must not be mistaken for another. */
const FAULTS = {
  denied: ['rv C_EncryptInit 226', 'rv C_DecryptInit 226', 'rv C_WrapKey 226', 'rv C_UnwrapKey 226'],
  throttled: ['rv C_FindObjectsInit 177', 'rv C_DecryptInit 177', 'rv C_UnwrapKey 177'],
  wrongUsage: ['rv C_EncryptInit 112', 'rv C_DecryptInit 112', 'rv C_WrapKey 112', 'rv C_UnwrapKey 112'],
  serverError: ['rv C_Encrypt 6', 'rv C_Decrypt 6', 'rv C_WrapKey 6', 'rv C_UnwrapKey 6'],
  refused: ['rv C_FindObjectsInit 224', 'rv C_DecryptInit 224', 'rv C_UnwrapKey 224', 'rv C_GetTokenInfo 224'],
  reset: ['rv C_FindObjectsInit 50', 'rv C_EncryptInit 50', 'rv C_DecryptInit 50', 'rv C_WrapKey 50', 'rv C_UnwrapKey 50'],
};

function suiteFor(wrapping: Wrapping): ReturnType<typeof kmsClientConformance<Keys>> {
  const faulty = (name: keyof typeof FAULTS) => () => {
    hsm.fault(...FAULTS[name]);
    return () => {
      hsm.fault();
    };
  };
  return kmsClientConformance<Keys>({
    setUp: async () => {
      const options = hsm.options({ wrapping });
      return { client: await Pkcs11Kms.create(options), other: await hsm.create({ wrapping }), options };
    },
    capabilities: { authenticatedWraps: true, contextBinding: wrapping === 'aes-gcm' ? 'aad' : 'seed', rotation: true, versions: true },
    calls: () => hsm.calls('C_EncryptInit') + hsm.calls('C_DecryptInit') + hsm.calls('C_WrapKey') + hsm.calls('C_UnwrapKey'),
    reopen: ({ options }) => Pkcs11Kms.open(options),
    credentials: () => [PIN],
    additionalCodes: ['CONFIG_INVALID', 'LIMIT_EXCEEDED'],
    faults: {
      denied: faulty('denied'),
      throttled: faulty('throttled'),
      wrongUsage: faulty('wrongUsage'),
      serverError: faulty('serverError'),
      refused: faulty('refused'),
      reset: faulty('reset'),
      disabled: async ({ client }) => {
        const { id } = await client.currentKeyVersion();
        await client.disableKeyVersion(id);
        return () => client.enableKeyVersion(id);
      },
      notFound: () => {
        hsm.fault('rv C_FindObjectsInit 130', 'rv C_EncryptInit 130', 'rv C_DecryptInit 130', 'rv C_WrapKey 130', 'rv C_UnwrapKey 130');
        return () => {
          hsm.fault();
        };
      },
      shortKey: () => {
        hsm.fault('short C_Decrypt', 'short C_Encrypt', 'short C_WrapKey', 'short C_GetAttributeValue');
        return () => {
          hsm.fault();
        };
      },
    },
  });
}

describe.each(['aes-gcm', 'aes-key-wrap'] as const)('Pkcs11KmsClient with %s keeps the promises of a KmsClient', (wrapping) => {
  const suite = suiteFor(wrapping);
  it.each(suite.cases)('$title', async ({ run }) => run());

  it('says what is not proven, and is tested by itself: logins, and calls that hang', () => {
    expect(suite.notProven.map((line) => line.split(':')[0])).toEqual([
      'faults.hanging',
      'capabilities.authenticatedWraps',
      'faults.unauthenticated',
      'faults.garbage',
      'faults.wrongKey',
      'faults.rotationLimit',
    ]);
  });
});
