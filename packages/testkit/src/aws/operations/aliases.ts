import { identifyKey } from '../keys/key-identifier.ts';
import type { KmsKey } from '../keys/kms-key.ts';
import { AwsError, notFound, validationError } from '../wire/aws-error.ts';
import { required } from '../wire/shape.ts';
import type { Call } from './call.ts';
import { aliasName, define, keyId, limit, marker } from './define.ts';
import { page } from './page.ts';

/** Aliases of one key. */
const MAX_ALIASES = 50;

/** CreateAlias. */
export const createAlias = define(
  'CreateAlias',
  { AliasName: required(aliasName), TargetKeyId: required(keyId) },
  (call, input) => {
    const { aliases } = call.region;
    checkName(input.AliasName);
    call.authorize('CreateAlias', call.region.aliasArn(input.AliasName));
    const key = targetKey(call, 'CreateAlias', input.TargetKeyId);
    key.checkNotPending(call.now);
    if (aliases.has(input.AliasName)) {
      throw new AwsError('AlreadyExistsException', `An alias with the name ${call.region.aliasArn(input.AliasName)} already exists`);
    }
    checkRoom(call, key);
    aliases.set(input.AliasName, { targetKeyId: key.init.id, createdAt: call.now, updatedAt: call.now });
    return undefined;
  },
);

/** UpdateAlias: to another key of the same kind. */
export const updateAlias = define(
  'UpdateAlias',
  { AliasName: required(aliasName), TargetKeyId: required(keyId) },
  (call, input) => {
    const { aliases } = call.region;
    checkName(input.AliasName);
    call.authorize('UpdateAlias', call.region.aliasArn(input.AliasName));
    const alias = aliases.get(input.AliasName);
    if (alias === undefined) throw notFound(`Alias ${call.region.aliasArn(input.AliasName)} is not found.`);
    const from = call.useKey({ action: 'UpdateAlias', identifier: alias.targetKeyId });
    const to = targetKey(call, 'UpdateAlias', input.TargetKeyId);
    to.checkNotPending(call.now);
    if (from.init.usage !== to.init.usage || (from.init.materials === undefined) !== (to.init.materials === undefined)) {
      throw validationError('The current and new KMS keys of an alias must be of the same type and have the same key usage.');
    }
    if (from !== to) checkRoom(call, to);
    aliases.set(input.AliasName, { ...alias, targetKeyId: to.init.id, updatedAt: call.now });
    return undefined;
  },
);

/** DeleteAlias; the key stays. */
export const deleteAlias = define('DeleteAlias', { AliasName: required(aliasName) }, (call, input) => {
  checkName(input.AliasName);
  const arn = call.region.aliasArn(input.AliasName);
  call.authorize('DeleteAlias', arn);
  const alias = call.region.aliases.get(input.AliasName);
  if (alias === undefined) throw notFound(`Alias ${arn} is not found.`);
  call.useKey({ action: 'DeleteAlias', identifier: alias.targetKeyId });
  call.region.aliases.delete(input.AliasName);
  return undefined;
});

/** ListAliases: of the region or of one key, 50 a page by default. */
export const listAliases = define(
  'ListAliases',
  { KeyId: keyId, Limit: limit(100), Marker: marker },
  (call, input) => {
    call.authorize('ListAliases', '*');
    const target = input.KeyId === undefined ? undefined : call.existing(identifyKey(call.region, input.KeyId, 'without aliases'));
    const all = [...call.region.aliases]
      .filter(([, alias]) => target === undefined || alias.targetKeyId === target.init.id)
      .sort(([left], [right]) => (left < right ? -1 : 1));
    const { items, paging } = page(all, ([name]) => name, { limit: input.Limit ?? 50, marker: input.Marker });
    const Aliases = items.map(([name, alias]) => ({
      AliasName: name,
      AliasArn: call.region.aliasArn(name),
      TargetKeyId: alias.targetKeyId,
      CreationDate: new Date(alias.createdAt),
      LastUpdatedDate: new Date(alias.updatedAt),
    }));
    return { Aliases, ...paging };
  },
);

function targetKey(call: Call, action: string, identifier: string): KmsKey {
  if (/(?:^|:)alias\//.test(identifier)) throw validationError('Aliases must refer to keys. Not aliases');
  return call.useKey({ action, identifier });
}

function checkName(name: string): void {
  if (!name.startsWith('alias/')) {
    throw validationError(
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  }
  if (name.startsWith('alias/aws/')) throw new AwsError('NotAuthorizedException');
  if (name === 'alias/') throw new AwsError('InvalidAliasNameException', 'An alias needs a name behind alias/.');
}

function checkRoom(call: Call, key: KmsKey): void {
  const used = [...call.region.aliases.values()].filter((alias) => alias.targetKeyId === key.init.id).length;
  if (used >= MAX_ALIASES) {
    throw new AwsError(
      'LimitExceededException',
      `Aliases per key quota for this account in this region is ${MAX_ALIASES}, current usage is ${used}.`,
    );
  }
}
