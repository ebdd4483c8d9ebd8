import { define, keyIdOnly, limit, marker } from './define.ts';
import { keyMetadata } from './key-metadata.ts';
import { page } from './page.ts';

/** DescribeKey. */
export const describeKey = define(
  'DescribeKey',
  keyIdOnly,
  (call, input) => {
    const key = call.useKey({ action: 'DescribeKey', identifier: input.KeyId, aliases: 'with aliases' });
    return { KeyMetadata: keyMetadata(key, call.now) };
  },
);

/** ListKeys: 100 a page by default. */
export const listKeys = define('ListKeys', { Limit: limit(1000), Marker: marker }, (call, input) => {
  call.authorize('ListKeys', '*');
  const sorted = [...call.region.keys.values()].sort((left, right) => (left.init.id < right.init.id ? -1 : 1));
  const { items, paging } = page(sorted, (key) => key.init.id, { limit: input.Limit ?? 100, marker: input.Marker });
  return { Keys: items.map((key) => ({ KeyId: key.init.id, KeyArn: key.arn })), ...paging };
});
