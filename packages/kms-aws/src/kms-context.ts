import { KeyfoldError, encodeWrapContext, type EncryptionContext } from '@keyfold/core/provider';
import type { AwsEncryptionContext } from './sdk.ts';

/**
 * The wrap context as AWS KMS binds it (spec/aws-kms, 2): a native map, so that
 * key policies and CloudTrail see its names. `purpose`, which is `wrap` in every
 * one, gives way to `keyfold` = `1`; so different contexts stay different.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function awsContext(context: EncryptionContext): AwsEncryptionContext {
  encodeWrapContext(context);
  const { purpose, ...names } = context;
  if (purpose !== 'wrap' || 'keyfold' in names) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The encryption context of a wrap has the purpose "wrap" and no key "keyfold".');
  }
  return { ...names, keyfold: '1' };
}
