import { list, required, text } from '../wire/shape.ts';
import { tags } from './create-key.ts';
import { define, keyId, limit, marker } from './define.ts';
import { page } from './page.ts';

/** TagResource. */
export const tagResource = define('TagResource', { KeyId: required(keyId), Tags: required(tags) }, (call, input) => {
  const key = call.useKey({ action: 'TagResource', identifier: input.KeyId });
  key.checkNotPending(call.now);
  for (const { TagKey, TagValue } of input.Tags) key.tags.set(TagKey, TagValue);
  return undefined;
});

/** UntagResource. */
export const untagResource = define(
  'UntagResource',
  { KeyId: required(keyId), TagKeys: required(list(text({ min: 1, max: 128 }))) },
  (call, input) => {
    const key = call.useKey({ action: 'UntagResource', identifier: input.KeyId });
    key.checkNotPending(call.now);
    for (const name of input.TagKeys) key.tags.delete(name);
    return undefined;
  },
);

/** ListResourceTags: 50 a page by default. */
export const listResourceTags = define(
  'ListResourceTags',
  { KeyId: required(keyId), Limit: limit(1000), Marker: marker },
  (call, input) => {
    const key = call.useKey({ action: 'ListResourceTags', identifier: input.KeyId });
    const sorted = [...key.tags].sort(([left], [right]) => (left < right ? -1 : 1));
    const { items, paging } = page(sorted, ([name]) => name, { limit: input.Limit ?? 50, marker: input.Marker });
    return { Tags: items.map(([TagKey, TagValue]) => ({ TagKey, TagValue })), ...paging };
  },
);
