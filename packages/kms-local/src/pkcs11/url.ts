import { fileURLToPath } from 'node:url';
import { KeyfoldError } from '@keyfold/core/provider';
import { OPTION_NAMES, type Pkcs11Options, type TokenSelector } from './options.ts';
import { Pkcs11Kms } from './pkcs11-kms.ts';
import type { Pkcs11KmsClient } from './pkcs11-kms-client.ts';
import { parsePkcs11Uri, type Pkcs11Uri } from './uri.ts';

/** What a URI does not say. What both say is refused, except `pin` and `pinFile`, which stand in for the URI's. */
export type Pkcs11UrlOptions = Partial<Omit<Pkcs11Options, 'token' | 'keyLabel'>>;

/**
 * Opens a key by its PKCS#11 URI (RFC 7512): `object` is the key's label, `module-path` the library, `pin-source` a
 * `file:` URI or an absolute path, and what else the path has says which token.
 * @throws KeyfoldError CONFIG_INVALID for a URI that is none or that cannot name a key here, and as Pkcs11Kms.open
 */
export async function openPkcs11Url(url: string, options: Readonly<Record<string, unknown>> = {}): Promise<Pkcs11KmsClient> {
  return Pkcs11Kms.open(optionsOf(parsePkcs11Uri(url), options));
}

/** @throws KeyfoldError CONFIG_INVALID */
export function optionsOf(uri: Pkcs11Uri, options: Pkcs11UrlOptions): Pkcs11Options {
  refuseUnfit(uri);
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) throw unfit(`has no use for an option ${JSON.stringify(unknown.slice(0, 40))}`);
  const { object, modulePath } = uri;
  if (object === undefined || object === '') throw unfit('has no object attribute, which is the label of the key');
  if (modulePath !== undefined && options.module !== undefined) throw unfit('has a module-path, and so have the options a module');
  const module = modulePath ?? options.module;
  if (module === undefined) throw unfit('has no module-path attribute, which is the path of the PKCS#11 library');
  for (const name of ['token', 'keyLabel']) {
    if (Object.hasOwn(options, name)) throw unfit(`says which key and token; the option ${name} cannot be given beside it`);
  }
  return { ...pinOf(uri, options), ...options, module, keyLabel: object, token: selectorOf(uri) };
}

function refuseUnfit({ type, id, moduleName, vendorPath }: Pkcs11Uri): void {
  if (type !== undefined && type !== 'secret-key') throw unfit('has a type other than secret-key');
  if (id !== undefined) throw unfit('has an id, which names one version; leave it out, versions are told apart by it');
  if (moduleName !== undefined) throw unfit('has a module-name; give the whole path as module-path');
  // An attribute that is not understood cannot be passed over: it narrows down which key is meant.
  if (vendorPath.size > 0) throw unfit("has a vendor's attribute before the question mark, which cannot be compared with anything");
}

function selectorOf(uri: Pkcs11Uri): TokenSelector {
  const { manufacturer, serial, model, slotDescription, slotManufacturer, libraryManufacturer, libraryDescription, libraryVersion } = uri;
  const selector = {
    label: uri.token,
    slot: uri.slotId,
    manufacturer, serial, model, slotDescription, slotManufacturer, libraryManufacturer, libraryDescription, libraryVersion,
  };
  if (Object.values(selector).every((value) => value === undefined)) throw unfit('says nothing about the token, for example its label: token=...');
  return selector;
}

/** Options take precedence, so that a PIN in a configuration can be overridden by the one who asks the operator. */
function pinOf({ pinSource, pinValue }: Pkcs11Uri, { pin, pinFile }: Pkcs11UrlOptions): Pick<Pkcs11Options, 'pin' | 'pinFile'> {
  if (pin !== undefined || pinFile !== undefined) return {};
  if (pinValue !== undefined) return { pin: pinValue };
  return pinSource === undefined ? {} : { pinFile: pathOf(pinSource) };
}

function pathOf(source: string): string {
  if (source.startsWith('/')) return source;
  try {
    if (/^file:/i.test(source)) return fileURLToPath(source);
  } catch {
    // A file: URI of another host, or one that is malformed.
  }
  throw unfit('has a pin-source that is neither an absolute path nor a file: URI of this machine; commands are not run');
}

function unfit(reason: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `This PKCS#11 URI opens no key: it ${reason}.`);
}
