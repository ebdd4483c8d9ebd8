import { AwsError, notFound } from '../wire/aws-error.ts';
import type { KmsRegion } from './kms-region.ts';

/** What a KeyId parameter names: a key, directly or through an alias. */
export interface NamedKey {
  readonly id: string;
  readonly arn: string;
  /** The alias name, if the key was named by one. */
  readonly alias: string | undefined;
}

const KEY_ID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

/**
 * Reads a key id, key ARN and, where the operation takes them, alias name or alias ARN.
 *
 * @throws AwsError NotFoundException or InvalidArnException
 */
export function identifyKey(region: KmsRegion, identifier: string, aliases: 'with aliases' | 'without aliases'): NamedKey {
  let name = identifier;
  if (identifier.startsWith('arn:')) {
    const [, partition, service, regionName, accountId, ...rest] = identifier.split(':');
    if (partition !== 'aws' || service !== 'kms' || rest.length !== 1) throw notFound(`Invalid arn ${identifier}`);
    if (regionName !== region.name) throw notFound(`Invalid arn ${regionName ?? ''}`);
    if (accountId !== region.accountId) throw notFound(`Key '${identifier}' does not exist`);
    const [resource = ''] = rest;
    if (resource.startsWith('alias/') && aliases === 'without aliases') {
      throw new AwsError('InvalidArnException', 'Key Aliases are not supported for this operation');
    }
    name = resource.startsWith('key/') ? resource.slice('key/'.length) : resource;
  }
  if (name.startsWith('alias/') && aliases === 'with aliases') {
    const alias = region.aliases.get(name);
    if (alias === undefined) throw notFound(`Alias ${region.aliasArn(name)} is not found.`);
    return { id: alias.targetKeyId, arn: region.keyArn(alias.targetKeyId), alias: name };
  }
  if (!KEY_ID.test(name)) throw notFound(`Invalid keyId '${name}'`);
  return { id: name, arn: region.keyArn(name), alias: undefined };
}
