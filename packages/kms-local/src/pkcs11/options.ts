import { KeyfoldError, systemClock, type Clock } from '@keyfold/core/provider';

/** Which token: every part that is given must match, and exactly one token may. */
export interface TokenSelector {
  /** CKA_LABEL of the token, as it was initialised. */
  readonly label?: string | undefined;
  readonly serial?: string | undefined;
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  /** The slot's number. Modules may change it from start to start. */
  readonly slot?: number | undefined;
  readonly slotDescription?: string | undefined;
  readonly slotManufacturer?: string | undefined;
  readonly libraryManufacturer?: string | undefined;
  readonly libraryDescription?: string | undefined;
  readonly libraryVersion?: { readonly major: number; readonly minor: number } | undefined;
}

/** `auto`: AES-GCM where the token can do it, else AES key wrap. */
export type Wrapping = 'auto' | 'aes-gcm' | 'aes-key-wrap';

/** Where a key encryption key is, and how to get at it. */
export interface Pkcs11Options {
  /** The absolute path of the PKCS#11 library, e.g. `/usr/lib/softhsm/libsofthsm2.so`. */
  readonly module: string;
  /** The token's label, or more about it. */
  readonly token: string | TokenSelector;
  /** CKA_LABEL of the key, shared by all its versions: 1..128 bytes as UTF-8. */
  readonly keyLabel: string;
  /** The user's PIN, or a function that is asked whenever the user has to be logged in. */
  readonly pin?: string | (() => string | Promise<string>) | undefined;
  /** A file that holds the PIN: mode 0600, yours, at most 1,024 bytes; one line feed at its end is left out. */
  readonly pinFile?: string | undefined;
  /** The key's name in key records. Default: `pkcs11:token=<label>;object=<keyLabel>;type=secret-key`. */
  readonly keyId?: string | undefined;
  /** How many operations may be under way at once, each in a session of its own: 1..1,024. Default: 8. */
  readonly sessions?: number | undefined;
  /** Default: `auto`. */
  readonly wrapping?: Wrapping | undefined;
  /** Wraps that this client makes under one version before it refuses more: 1..2^32. Default: 2^32. */
  readonly maxWrapsPerVersion?: number | undefined;
  /** Accept keys that were once outside of the token or not sensitive, i.e. imported ones. Default: false. */
  readonly acceptImportedKeys?: boolean | undefined;
  /**
   * Nothing else in this process uses the module: no other client, worker thread or library. A token that is lost
   * is then looked for by C_Finalize and C_Initialize, which some modules, SoftHSM among them, need. Default: false.
   */
  readonly exclusive?: boolean | undefined;
  /** Default: the machine's clock. It dates new versions. */
  readonly clock?: Clock | undefined;
}

/** The options with their defaults. */
export interface Settings {
  readonly module: string;
  readonly token: TokenSelector;
  readonly keyLabel: string;
  readonly keyId: string | undefined;
  readonly pin: Pkcs11Options['pin'];
  readonly pinFile: string | undefined;
  readonly sessions: number;
  readonly wrapping: Wrapping;
  readonly maxWrapsPerVersion: number;
  readonly acceptImportedKeys: boolean;
  readonly exclusive: boolean;
  readonly clock: Clock;
}

/** NIST SP 800-38D, section 8.3: random nonces of 96 bits, at most 2^32 invocations of one key. */
const MAX_WRAPS = 2 ** 32;
const WRAPPINGS: readonly string[] = ['auto', 'aes-gcm', 'aes-key-wrap'];
/** Every option there is. */
export const OPTION_NAMES: readonly string[] = [
  'module',
  'token',
  'keyLabel',
  'pin',
  'pinFile',
  'keyId',
  'sessions',
  'wrapping',
  'maxWrapsPerVersion',
  'acceptImportedKeys',
  'exclusive',
  'clock',
] satisfies (keyof Pkcs11Options)[];
const SELECTOR_TEXTS = [
  'label',
  'serial',
  'manufacturer',
  'model',
  'slotDescription',
  'slotManufacturer',
  'libraryManufacturer',
  'libraryDescription',
] as const;

/**
 * Checks what a caller may get wrong, types included: options also come from configuration files.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function settingsOf(options: Pkcs11Options): Settings {
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) throw invalid(`there is no option of this name: ${unknown.slice(0, 40)}`);
  const { module, token, keyLabel, keyId, sessions = 8, wrapping = 'auto', maxWrapsPerVersion = MAX_WRAPS } = options;
  if (!isText(module, 4_096) || !/^(?:[/\\]|[A-Za-z]:[/\\])/.test(module)) throw invalid('module must be an absolute path');
  if (!isText(keyLabel, 128)) throw invalid('keyLabel must have 1 to 128 bytes as UTF-8');
  if (keyId !== undefined && !(typeof keyId === 'string' && /^[\x20-\x7e]{1,2048}$/.test(keyId))) {
    throw invalid('keyId must be 1 to 2,048 printable ASCII characters');
  }
  if (!isWhole(sessions, 1, 1_024)) throw invalid('sessions must be a whole number of 1 to 1,024');
  if (!isWhole(maxWrapsPerVersion, 1, MAX_WRAPS)) throw invalid('maxWrapsPerVersion must be a whole number of 1 to 2^32');
  if (!WRAPPINGS.includes(wrapping)) throw invalid(`wrapping must be one of ${WRAPPINGS.join(', ')}`);
  checkPin(options);
  const { clock = systemClock } = options;
  return {
    module,
    token: selectorOf(token),
    keyLabel,
    keyId,
    pin: options.pin,
    pinFile: options.pinFile,
    sessions,
    wrapping,
    maxWrapsPerVersion,
    acceptImportedKeys: flag(options.acceptImportedKeys, 'acceptImportedKeys'),
    exclusive: flag(options.exclusive, 'exclusive'),
    clock,
  };
}

function selectorOf(token: unknown): TokenSelector {
  if (isText(token, 32)) return { label: token };
  if (typeof token !== 'object' || token === null) throw invalid('token must be a label of 1 to 32 bytes, or an object');
  const selector: TokenSelector = token;
  const given = Object.entries(selector).filter(([, value]) => value !== undefined);
  if (given.length === 0) throw invalid('token must say something about the token');
  for (const [name, value] of given) {
    const texts: readonly string[] = SELECTOR_TEXTS;
    const good = texts.includes(name)
      ? typeof value === 'string'
      : name === 'slot'
        ? isWhole(value, 0, Number.MAX_SAFE_INTEGER)
        : name === 'libraryVersion' && typeof value === 'object';
    if (!good) throw invalid(`token.${name.slice(0, 40)} is not something to find a token by`);
  }
  return selector;
}

function checkPin({ pin, pinFile }: Pkcs11Options): void {
  if (pin !== undefined && pinFile !== undefined) throw invalid('pass pin or pinFile, not both');
  if (pin !== undefined && typeof pin !== 'string' && typeof pin !== 'function') throw invalid('pin must be a string or a function');
  if (pinFile !== undefined && !isText(pinFile, 4_096)) throw invalid('pinFile must be the path of a file');
}

function flag(value: unknown, name: string): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw invalid(`${name} must be true or false`);
  return value ?? false;
}

function isText(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && value.isWellFormed() && !value.includes('\0') && value !== '' && Buffer.byteLength(value) <= maxBytes;
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

function invalid(reason: string): KeyfoldError {
  return new KeyfoldError('INVALID_ARGUMENT', `These options open no PKCS#11 key: ${reason}.`);
}
