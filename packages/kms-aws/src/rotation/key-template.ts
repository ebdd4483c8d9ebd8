import type { SignalOptions } from '../kms-calls.ts';
import type { AwsKeyMetadata, AwsTag } from '../sdk.ts';
import type { RotationParts } from './parts.ts';

/** The only name that AWS knows for a key's policy. */
const POLICY_NAME = 'default';

/** What CreateKey takes so that the new key is like another one. */
export interface KeyTemplate {
  readonly Policy?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly Description?: string;
  readonly MultiRegion?: boolean;
  readonly Tags?: AwsTag[];
}

/** Policy, tags, description and multi-Region-ness of a key. */
export async function templateOf({ calls }: RotationParts, arn: string, metadata: AwsKeyMetadata, signals: SignalOptions): Promise<KeyTemplate> {
  const { Policy: policy } = await calls.call('GetKeyPolicy', signals, (api, options) => api.getKeyPolicy({ KeyId: arn, PolicyName: POLICY_NAME }, options));
  const tags: AwsTag[] = [];
  const pages = calls.pages('ListResourceTags', signals, (api, page, options) => api.listResourceTags({ KeyId: arn, ...page }, options));
  // Tags of the prefix "aws:" are AWS's own and cannot be given.
  for await (const page of pages) tags.push(...(page.Tags ?? []).filter((tag) => tag.TagKey?.startsWith('aws:') === false));
  const { Description: description, MultiRegion: multiRegion } = metadata;
  return {
    // Else AWS takes the copy only from one who may change key policies, i.e. give himself every right to every key.
    ...(policy !== undefined && { Policy: policy, BypassPolicyLockoutSafetyCheck: true }),
    ...(description !== undefined && description !== '' && { Description: description }),
    ...(multiRegion === true && { MultiRegion: true }),
    ...(tags.length > 0 && { Tags: tags }),
  };
}
