import { AwsError, unsupported, validationError } from '../wire/aws-error.ts';
import { required, text } from '../wire/shape.ts';
import { tags } from './create-key.ts';
import { define, description, keyId } from './define.ts';
import { keyMetadata } from './key-metadata.ts';

/** ReplicateKey: the replica shares id and key material with its primary, and nothing else. */
export const replicateKey = define(
  'ReplicateKey',
  {
    KeyId: required(keyId),
    ReplicaRegion: required(text({ min: 1, max: 32, pattern: '([a-z]+-){2,3}\\d+' })),
    Policy: text({ min: 1, max: 131_072 }),
    Description: description,
    Tags: tags,
  },
  (call, input) => {
    const key = call.useKey({ action: 'ReplicateKey', identifier: input.KeyId });
    key.checkUsable(call.now);
    const { family } = key.init;
    if (family === undefined || key.isReplica) throw unsupported(`${key.arn} is not a multi-region primary key.`);
    if (input.Policy !== undefined) {
      throw unsupported('This server has no key policies; give principals a policy when you start it.');
    }
    const region = call.state.region(input.ReplicaRegion);
    if (region === undefined) throw validationError(`This server does not play the region ${input.ReplicaRegion}.`);
    call.authorize('CreateKey', '*');
    if (family.members.has(region.name)) {
      throw new AwsError('AlreadyExistsException', `The multi-region key ${key.init.id} already exists in ${region.name}.`);
    }
    const replica = region.addReplica(key, family, {
      description: input.Description ?? '',
      createdAt: call.now,
      readyAt: call.now + call.state.backgroundMs,
    });
    for (const { TagKey, TagValue } of input.Tags ?? []) replica.tags.set(TagKey, TagValue);
    call.keys.push(replica.arn);
    return { ReplicaKeyMetadata: keyMetadata(replica, call.now), ReplicaTags: input.Tags ?? [] };
  },
);
