// What storage holds under hidden names: a name key of fixed bytes, and what stands in front of records.
import { createHmac } from 'node:crypto';
import { makeCheckpoint } from './checkpoint.mjs';
import { Bytes, core, expand, fixedRandom, hidden, secret } from './support.mjs';

export const NAME_KEY_SUITE = 1;

/** The DEK's keys and names, for a tenant. */
export function namesOf(dek, tenant) {
  const keyOf = (use) => expand(dek, Buffer.from(`keyfold/hidden-names-${use}-key/v1\0`), 32);
  const all = new hidden.HiddenCheckpointNames(new core.HiddenNames(secret(dek), tenant), tenant);
  const stem = (id) => all.root + core.toHex(macOf(keyOf('mac'), tenant, id));
  return {
    dek,
    tenant,
    nameKey: keyOf('mac'),
    idKey: keyOf('id'),
    root: all.root.slice(0, -1),
    keyObject: hidden.nameKeyObject(tenant),
    nameOf: (id) => stem(id).slice(all.root.length),
    record: (id) => all.record(stem(id)),
    data: (id, objectId) => all.data(stem(id), objectId),
    mark: (id, objectId) => all.mark(stem(id), objectId),
  };
}

export function macOf(key, tenant, id) {
  return createHmac('sha256', key).update(core.hiddenNameInput(tenant, id)).digest();
}

/** `lp16` of any bytes, and zeros up to a multiple of 128. */
export function padded(id, length = Math.ceil((id.length + 2) / 128) * 128) {
  return Buffer.concat([core.lengthPrefixed(16, id), Buffer.alloc(length - id.length - 2)]);
}

export function sealedId(names, id, { key = names.idKey, context, plaintext = padded(Buffer.from(id)), name = names.nameOf(id), random = id } = {}) {
  const bound = context ?? Buffer.from(core.hiddenIdBinding(Buffer.from(name, 'hex')));
  return core.sealMessage(secret(key), bound, plaintext, fixedRandom(`hidden/front/${random.slice(0, 40)}`));
}

/** What stands in front of the record of `id`, or of something else that is said. */
export function front(names, id, changes = {}) {
  return Bytes.of(core.encodeHiddenPrefix(sealedId(names, id, changes)));
}

/** The object of a name key, and its parts. */
export async function makeNameKey(name, { tenant = 'acme', suite = NAME_KEY_SUITE, checkpoint = core.NAME_KEY_CHECKPOINT, length = 0, ...options } = {}) {
  const made = await makeCheckpoint(`hidden/${name}`, { tenant, suite, checkpoint, length, ...options });
  return { ...made, stored: Bytes.of(made.record, made.object), names: namesOf(made.dek, tenant) };
}
