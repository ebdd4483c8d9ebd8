import { KeyfoldError, type KmsClient } from '@keyfold/core/provider';
import { LocalKms } from './local-kms.ts';
import type { OpenOptions } from './options.ts';

/** What openKmsUrl() takes beside the URL: the options of LocalKms.open(), without what the URL says. */
export type LocalKmsUrlOptions = Partial<OpenOptions>;

const FORM = 'local:///path/keyring.kf, with ?keyFile=/path/key where a key file unlocks it';
const OPTIONS: readonly string[] = ['password', 'keyFile', 'key', 'minimumGeneration', 'clock'] satisfies readonly (keyof OpenOptions)[];

/**
 * Opens a keyring by URL: `local:///var/keys/keyring.kf?keyFile=/etc/app/keyring.key`.
 * The path is absolute and percent-encoded; `keyFile` is all that the query may
 * have. Passwords and keys are options, never part of a URL.
 * @param options as {@link LocalKmsUrlOptions}
 * @throws KeyfoldError CONFIG_INVALID for another URL or option, and as LocalKms.open()
 */
export async function openKmsUrl(url: string, options: Readonly<Record<string, unknown>> = {}): Promise<KmsClient> {
  const { path, keyFile } = parseUrl(url);
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw invalid(`there is no option ${JSON.stringify(unknown)}; known are: ${OPTIONS.join(', ')}`);
  if (keyFile === undefined) return LocalKms.open(path, options);
  const twice = ['keyFile', 'key', 'password'].find((name) => options[name] !== undefined);
  if (twice !== undefined) throw invalid(`its keyFile unlocks the keyring, and so would the option ${twice}; leave one of them out`);
  return LocalKms.open(path, { ...options, keyFile });
}

function parseUrl(url: string): { readonly path: string; readonly keyFile: string | undefined } {
  // `local:keyring.kf` and `local://keyring.kf` would lose the first part of the path.
  const parsed = /^local:\/\/\/[\x21-\x7e]+$/i.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.hash !== '') throw invalid(`it must have the form ${FORM}; other characters are percent-encoded`);
  const [member, ...more] = parsed.searchParams;
  // Not shown: a name that is not known may be a password without one.
  if (more.length > 0 || (member?.[0] ?? 'keyFile') !== 'keyFile') throw invalid('its query must have nothing but one keyFile');
  const keyFile = member?.[1];
  if (keyFile !== undefined && !keyFile.startsWith('/')) throw invalid('its keyFile must be an absolute path');
  return { path: decode(parsed.pathname), keyFile };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw invalid('its path is not percent-encoded UTF-8', error);
  }
}

function invalid(what: string, cause?: unknown): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `This URL of a local keyring is not usable: ${what}.`, { cause });
}
