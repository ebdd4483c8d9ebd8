import { requireName } from '../keys/resource-name.ts';
import { invalidArgument, unimplemented } from '../wire/gcp-error.ts';
import type { Operation } from './call.ts';
import { page } from './page.ts';

export const createCryptoKeyVersion: Operation = (call, request) => {
  const parent = requireName('cryptoKey', request.requiredText('parent'));
  call.authorize('cryptoKeyVersions.create', parent);
  // A new version is not the primary until it is made so, not even where there is none.
  return call.state.cryptoKey(parent).addVersion(call.now).toMessage();
};

export const getCryptoKeyVersion: Operation = (call, request) => {
  const name = requireName('version', request.requiredText('name'));
  call.authorize('cryptoKeyVersions.get', name);
  return call.state.version(name).version.toMessage();
};

export const listCryptoKeyVersions: Operation = (call, request) => {
  const parent = requireName('cryptoKey', request.requiredText('parent'));
  call.authorize('cryptoKeyVersions.list', parent);
  const { versions } = call.state.cryptoKey(parent);
  return page(request, 'cryptoKeyVersions', versions.map((version) => ({ name: version.init.name, toMessage: () => version.toMessage() })));
};

export const updateCryptoKeyVersion: Operation = (call, request) => {
  const wanted = request.message('cryptoKeyVersion');
  const name = requireName('version', wanted?.text('name') ?? '');
  call.authorize('cryptoKeyVersions.update', name);
  const { version } = call.state.version(name);
  const paths = request.message('updateMask')?.texts('paths') ?? [];
  if (paths.length !== 1 || paths[0] !== 'state') throw unimplemented('An updateMask other than "state"');
  const state = wanted?.text('state');
  if (state !== 'ENABLED' && state !== 'DISABLED') throw invalidArgument('state can be set to ENABLED and DISABLED.');
  version.switchTo(state);
  return version.toMessage();
};

export const destroyCryptoKeyVersion: Operation = (call, request) => {
  const name = requireName('version', request.requiredText('name'));
  call.authorize('cryptoKeyVersions.destroy', name);
  const { key, version } = call.state.version(name);
  version.destroy(call.now + key.init.destroyScheduledMs);
  return version.toMessage();
};

export const restoreCryptoKeyVersion: Operation = (call, request) => {
  const name = requireName('version', request.requiredText('name'));
  call.authorize('cryptoKeyVersions.restore', name);
  const { version } = call.state.version(name);
  version.restore();
  return version.toMessage();
};
