import type { KeyRing } from '../keys/kms-state.ts';
import { parentOf, requireId, requireName } from '../keys/resource-name.ts';
import { seconds, type Plain } from '../wire/fields.ts';
import { GcpError } from '../wire/gcp-error.ts';
import type { Operation } from './call.ts';
import { page } from './page.ts';

export const createKeyRing: Operation = (call, request) => {
  const parent = requireName('location', request.requiredText('parent'));
  call.authorize('keyRings.create', parent);
  const name = `${parent}/keyRings/${requireId('keyRingId', request.text('keyRingId'))}`;
  if (call.state.keyRings.has(name)) throw new GcpError('ALREADY_EXISTS', `KeyRing ${name} already exists.`);
  const ring = { name, createdAt: call.now };
  call.state.keyRings.set(name, ring);
  return shown(ring);
};

export const getKeyRing: Operation = (call, request) => {
  const name = requireName('keyRing', request.requiredText('name'));
  call.authorize('keyRings.get', name);
  return shown(call.state.keyRing(name));
};

export const listKeyRings: Operation = (call, request) => {
  const parent = requireName('location', request.requiredText('parent'));
  call.authorize('keyRings.list', parent);
  const rings = [...call.state.keyRings.values()].filter(({ name }) => parentOf(name) === parent);
  return page(request, 'keyRings', rings.map((ring) => ({ name: ring.name, toMessage: () => shown(ring) })));
};

function shown({ name, createdAt }: KeyRing): Plain {
  return { name, createTime: seconds(createdAt) };
}
