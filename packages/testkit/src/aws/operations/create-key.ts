import { KEY_SPECS, SYMMETRIC } from '../keys/key-specs.ts';
import { unsupported, validationError } from '../wire/aws-error.ts';
import { flag, list, required, structure, text } from '../wire/shape.ts';
import { define, description } from './define.ts';
import { keyMetadata } from './key-metadata.ts';
import { checkKeyPolicy, checkNotLockedOut } from './key-policy.ts';

const SPECS = [...Object.keys(KEY_SPECS), 'ECC_SECG_P256K1', 'SM2', 'ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87', 'ECC_NIST_EDWARDS25519'];
const USAGES = ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT'];

/** The tags of a key. */
export const tags = list(
  structure({ TagKey: required(text({ min: 1, max: 128 })), TagValue: required(text({ max: 256 })) }),
  { max: 50 },
);

/** CreateKey: symmetric keys, and the mere existence of MAC and signing keys. */
export const createKey = define(
  'CreateKey',
  {
    Description: description,
    KeySpec: text({ values: SPECS }),
    CustomerMasterKeySpec: text({ values: SPECS }),
    KeyUsage: text({ values: USAGES }),
    MultiRegion: flag,
    Tags: tags,
    Origin: text({ values: ['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'] }),
    Policy: text({ min: 1, max: 131_072 }),
    BypassPolicyLockoutSafetyCheck: flag,
    CustomKeyStoreId: text({ min: 1, max: 64 }),
    XksKeyId: text({ min: 1, max: 128 }),
  },
  (call, input) => {
    call.authorize('CreateKey', '*');
    if ((input.Tags ?? []).length > 0) call.authorize('TagResource', '*');
    if ((input.Origin ?? 'AWS_KMS') !== 'AWS_KMS' || input.CustomKeyStoreId !== undefined || input.XksKeyId !== undefined) {
      throw unsupported('This server makes keys of the origin AWS_KMS only.');
    }
    if (input.Policy !== undefined) {
      checkKeyPolicy(input.Policy, call.state.accountId);
      if (input.BypassPolicyLockoutSafetyCheck !== true) checkNotLockedOut(call);
    }
    const spec = input.KeySpec ?? input.CustomerMasterKeySpec ?? SYMMETRIC;
    checkUsage(spec, input.KeyUsage);
    const key = call.region.createKey({ spec, description: input.Description ?? '', multiRegion: input.MultiRegion ?? false }, call.now);
    key.policy = input.Policy;
    for (const { TagKey, TagValue } of input.Tags ?? []) key.tags.set(TagKey, TagValue);
    call.keys.push(key.arn);
    return { KeyMetadata: keyMetadata(key, call.now) };
  },
);

function checkUsage(spec: string, usage: string | undefined): void {
  if (usage === undefined && spec !== SYMMETRIC) {
    throw validationError('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.');
  }
  const known = KEY_SPECS[spec];
  if (known === undefined || (spec.startsWith('RSA') && usage === 'ENCRYPT_DECRYPT') || usage === 'KEY_AGREEMENT') {
    throw unsupported(`This server has no keys of the spec ${spec} for ${usage ?? 'encryption'}.`);
  }
  if (usage !== undefined && known.usage !== usage) {
    throw validationError(`KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
  }
}
