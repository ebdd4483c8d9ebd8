import { KeyfoldError, encodeWrapContext, type EncryptionContext } from '@keyfold/core/provider';
import type { AwsEncryptionContext } from './sdk.ts';

/**
 * The wrap context as AWS KMS binds it (spec/aws-kms, 2): a native map, so that
 * key policies and CloudTrail see its names. `purpose`, which is `wrap` in every
 * one, gives way to `keyfold` = `1`; so different contexts stay different.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function awsContext(context: EncryptionContext): AwsEncryptionContext {
  const native = awsContextIfAny(context);
  if (native === undefined) {
    throw new KeyfoldError('INVALID_ARGUMENT', 'The encryption context of a wrap has the purpose "wrap" and no key "keyfold".');
  }
  return native;
}

/**
 * The same for unwrapping: undefined for a context under which nothing can have been wrapped.
 * @throws KeyfoldError INVALID_ARGUMENT for what is no context at all
 */
export function awsContextIfAny(context: EncryptionContext): AwsEncryptionContext | undefined {
  encodeWrapContext(context);
  const { purpose, ...names } = context;
  return purpose === 'wrap' && !('keyfold' in names) ? { ...names, keyfold: '1' } : undefined;
}
