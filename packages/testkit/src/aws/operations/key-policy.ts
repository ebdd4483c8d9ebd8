import { randomUUID } from 'node:crypto';
import type { KmsKey } from '../keys/kms-key.ts';
import { AwsError, notFound, unsupported } from '../wire/aws-error.ts';
import { required, text } from '../wire/shape.ts';
import type { Call } from './call.ts';
import { define, keyId } from './define.ts';

/** The policy that KMS gives a key that is made without one: it leaves everything to IAM. */
function defaultPolicy(accountId: string): string {
  const statement = { Sid: 'Enable IAM User Permissions', Effect: 'Allow', Principal: { AWS: rootOf(accountId) }, Action: 'kms:*', Resource: '*' };
  return JSON.stringify({ Version: '2012-10-17', Id: 'key-default-1', Statement: [statement] });
}

/** GetKeyPolicy. */
export const getKeyPolicy = define(
  'GetKeyPolicy',
  { KeyId: required(keyId), PolicyName: text({ min: 1, max: 128, pattern: '\\w+' }) },
  (call, input) => {
    const key: KmsKey = call.useKey({ action: 'GetKeyPolicy', identifier: input.KeyId });
    if ((input.PolicyName ?? 'default') !== 'default') throw notFound('No such policy exists');
    return { Policy: key.policy ?? defaultPolicy(key.init.accountId), PolicyName: 'default' };
  },
);

/**
 * Whoever gives a new key a policy must be allowed to change it afterwards. The policies that this
 * server takes leave that to IAM, i.e. to the caller's own policy.
 *
 * @throws AwsError MalformedPolicyDocumentException
 */
export function checkNotLockedOut({ principal, region }: Call): void {
  const facts = { encryptionContext: undefined, alias: undefined, resourceAliases: [] };
  if (principal.policy.refusal({ action: 'kms:PutKeyPolicy', resource: region.keyArn(randomUUID()), facts }) === undefined) return;
  throw new AwsError('MalformedPolicyDocumentException', 'The new key policy will not allow you to update the key policy in the future.');
}

/**
 * Key policies are not enforced, so only one that says what is enforced anyhow is taken: that the
 * account leaves everything to IAM. Its names are free.
 *
 * @throws AwsError UnsupportedOperationException
 */
export function checkKeyPolicy(policy: string, accountId: string): void {
  const [statement, ...others] = statements(policy);
  const { Effect: effect, Principal: principal, Action: action, Resource: resource, ...rest } = statement ?? {};
  const root = typeof principal === 'object' && principal !== null && 'AWS' in principal ? principal.AWS : undefined;
  const delegates = effect === 'Allow' && root === rootOf(accountId) && action === 'kms:*' && resource === '*';
  if (!delegates || others.length > 0 || Object.keys(rest).some((name) => name !== 'Sid')) {
    throw unsupported('This server does not enforce key policies: the only one that it takes allows the account root kms:* on *. Give principals a policy instead.');
  }
}

function statements(policy: string): Record<string, unknown>[] {
  try {
    const { Statement: found } = JSON.parse(policy) as { Statement?: Record<string, unknown> | Record<string, unknown>[] };
    return found === undefined ? [] : [found].flat();
  } catch {
    return [];
  }
}

function rootOf(accountId: string): string {
  return `arn:aws:iam::${accountId}:root`;
}
