import { setTimeout } from 'node:timers/promises';
import { KeyfoldError, isKeyfoldError, systemRandomSource, type KeyVersion } from '@keyfold/core/provider';
import { CKF, CKM, CKR } from './constants.ts';
import { isStale, returnValue } from './error-codes.ts';
import type { Kek, Permissions } from './kek.ts';
import { generationTemplate, permissionTemplate, readKek, searchTemplate } from './kek-attributes.ts';
import type { Settings } from './options.ts';
import type { Handle } from './sdk.ts';
import type { TokenCall } from './token.ts';
import { MAX_COUNTER, compareVersionIds, newVersionId } from './version-id.ts';

/** More would make every search slow. */
const MAX_VERSIONS = 1_024;
const FIND_AT_ONCE = 64;
/** Three pauses of together a third of a second. */
const LOOKS = 4;
const PAUSE_MS = 50;
const OFF: Permissions = { encrypt: false, decrypt: false, wrap: false, unwrap: false };

/** What the wrapping in use asks of a key. */
export interface KekUse {
  readonly granted: Permissions;
  canWrap(may: Permissions): boolean;
}

/** The versions of one key on the token, which all have its label. */
export class KekVersions {
  readonly #settings: Settings;
  readonly #use: KekUse;

  constructor(settings: Settings, use: KekUse) {
    this.#settings = settings;
    this.#use = use;
  }

  /** Newest first. Handles are looked for in each call; attributes are read again when other keys are there than before. */
  list(call: TokenCall, fresh = false): readonly Kek[] {
    const handles = this.#search(call);
    const before = new Set(call.known.keks.map(({ handle }) => handle.toString('hex')));
    const same = handles.length === before.size && handles.every((handle) => before.has(handle.toString('hex')));
    if (fresh || !same) {
      call.known.keks = handles
        .flatMap((handle) => this.#read(call, handle) ?? [])
        .sort((a, b) => compareVersionIds(b.id, a.id));
    }
    return call.known.keks;
  }

  /**
   * The newest version that may wrap, as it is on the token now.
   * @throws KeyfoldError KEY_NOT_FOUND, KEY_DISABLED, CONFIG_INVALID; what the binding throws
   */
  primary(call: TokenCall): Kek {
    const remembered = this.#newest(this.list(call));
    const now = remembered === undefined ? undefined : this.#read(call, remembered.handle);
    // Another process may have taken it out of use, and the handle may be another key's by now.
    const current = now !== undefined && now.id.text === remembered?.id.text && this.#use.canWrap(now.may);
    const primary = current ? now : this.#newest(this.list(call, true));
    if (primary !== undefined) return this.#sound(call, primary);
    if (call.known.keks.length === 0) throw this.#notFound(call);
    throw new KeyfoldError('KEY_DISABLED', `No version of the key ${this.#name} may wrap. Switch one on with enableKeyVersion(), or rotate.`);
  }

  /**
   * A version that may do what `permits` asks.
   * @throws KeyfoldError KEY_NOT_FOUND, KEY_DISABLED, INVALID_KEY_USAGE, CONFIG_INVALID; what the binding throws
   */
  find(call: TokenCall, version: string, permits: (may: Permissions) => boolean): Kek {
    const known = call.known.keks.find(({ id, may }) => id.text === version && permits(may));
    const kek = this.#sound(call, known ?? this.locate(call, version));
    if (permits(kek.may)) return kek;
    if (isOff(kek.may)) throw new KeyfoldError('KEY_DISABLED', `Version ${version} of the key ${this.#name} is disabled. Switch it on with enableKeyVersion().`);
    throw new KeyfoldError('INVALID_KEY_USAGE', `The attributes of version ${version} of the key ${this.#name} do not permit this (CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP).`);
  }

  /**
   * A version in whatever state it is, from a fresh look.
   * @throws KeyfoldError KEY_NOT_FOUND, CONFIG_INVALID (two of one id); what the binding throws
   */
  locate(call: TokenCall, version: string): Kek {
    const kek = this.list(call, true).find(({ id }) => id.text === version);
    if (kek === undefined) throw this.#notFound(call);
    return this.#unique(call, kek);
  }

  /**
   * Uses a key, and looks again when what was known of it is out of date, or when it seems unfit: SoftHSM writes a new
   * key in two steps, and between them other processes see one without its value and half of its attributes.
   */
  async use<T>(call: TokenCall, pick: () => Kek, work: (kek: Kek) => Promise<T>): Promise<T> {
    for (let looks = 1; ; looks++) {
      try {
        return await work(pick());
      } catch (error) {
        const again = isStale(error) ? looks === 1 : isUnfit(error) && looks < LOOKS;
        if (!again) throw error;
        if (!isStale(error)) await setTimeout(looks * PAUSE_MS);
        call.requireAlive();
        this.list(call, true);
      }
    }
  }

  /** @throws KeyfoldError ROTATION_LIMIT, KMS_PROTOCOL_ERROR; what the binding throws */
  async generate(call: TokenCall): Promise<Kek> {
    const before = this.list(call, true);
    const counter = Math.max(0, ...before.map(({ id }) => id.counter)) + 1;
    if (before.length >= MAX_VERSIONS || counter > MAX_COUNTER) {
      throw new KeyfoldError('ROTATION_LIMIT', `A key has at most ${MAX_VERSIONS} versions. Rewrap what the oldest ones wrapped, and destroy them.`);
    }
    const id = newVersionId(counter, this.#now(), systemRandomSource);
    const { granted } = this.#use;
    return call.inSession(CKF.RW_SESSION, async (session) => {
      const template = generationTemplate(this.#settings.keyLabel, id, granted);
      const handle = await call.cryptoki.C_GenerateKeyAsync(session, { mechanism: CKM.AES_KEY_GEN }, template);
      const made = this.#read({ ...call, session }, handle);
      if (made?.problem === undefined && made !== undefined && this.#use.canWrap(made.may)) return made;
      call.cryptoki.C_DestroyObject(session, handle);
      throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The token made a key of other attributes than it was asked for${made?.problem === undefined ? '' : `: it ${made.problem}`}. It was destroyed again.`);
    });
  }

  /** Switches a version on or off; the token enforces it. */
  async setEnabled(call: TokenCall, kek: Kek, enabled: boolean): Promise<Kek> {
    const template = permissionTemplate(enabled ? this.#use.granted : OFF);
    await call.inSession(CKF.RW_SESSION, (session) => {
      call.cryptoki.C_SetAttributeValue(session, kek.handle, template);
      return Promise.resolve();
    });
    return this.locate(call, kek.id.text);
  }

  /** @throws KeyfoldError INVALID_ARGUMENT for the primary; what the binding throws */
  async destroy(call: TokenCall, kek: Kek): Promise<void> {
    if (this.#newest(this.list(call, true))?.id.text === kek.id.text) {
      throw new KeyfoldError('INVALID_ARGUMENT', 'This version is the primary; rotate first, rewrap, and then destroy it.');
    }
    await call.inSession(CKF.RW_SESSION, (session) => {
      call.cryptoki.C_DestroyObject(session, kek.handle);
      return Promise.resolve();
    });
  }

  /** A version as the port describes it. */
  describe(call: TokenCall, { id, may }: Kek): KeyVersion {
    const primary = this.#newest(call.known.keks)?.id.text === id.text;
    return { id: id.text, createdAt: id.createdAt, state: isOff(may) ? 'disabled' : 'enabled', primary };
  }

  #newest(keks: readonly Kek[]): Kek | undefined {
    return keks.find(({ may }) => this.#use.canWrap(may));
  }

  #search({ cryptoki, session }: TokenCall): Handle[] {
    const found: Handle[] = [];
    cryptoki.C_FindObjectsInit(session, searchTemplate(this.#settings.keyLabel));
    for (;;) {
      const some = cryptoki.C_FindObjects(session, FIND_AT_ONCE);
      found.push(...some);
      if (some.length === 0) break;
    }
    cryptoki.C_FindObjectsFinal(session);
    return found;
  }

  #read({ cryptoki, session }: TokenCall, handle: Handle): Kek | undefined {
    const { keyLabel, acceptImportedKeys } = this.#settings;
    return readKek(cryptoki, session, handle, keyLabel, acceptImportedKeys);
  }

  /** Fails closed: a key that could be taken off the token wraps nothing and unwraps nothing. */
  #sound(call: TokenCall, kek: Kek): Kek {
    if (kek.problem !== undefined) {
      throw new KeyfoldError('CONFIG_INVALID', `Version ${kek.id.text} of the key ${this.#name} ${kek.problem}. It is not used.`);
    }
    return this.#unique(call, kek);
  }

  #unique(call: TokenCall, kek: Kek): Kek {
    if (call.known.keks.filter(({ id }) => id.text === kek.id.text).length > 1) {
      throw new KeyfoldError('CONFIG_INVALID', `Several keys ${this.#name} have the CKA_ID ${kek.id.text}, so it does not say which one is meant. Give all but one another label.`);
    }
    return kek;
  }

  #notFound(call: TokenCall): KeyfoldError {
    // A token that was removed may show itself by objects that are missing, and nothing else.
    call.requireAlive();
    return new KeyfoldError('KEY_NOT_FOUND', `The token has no such version of the key ${this.#name}: an AES key of that CKA_LABEL with a CKA_ID of 1 to 128 bytes.`);
  }

  #now(): number {
    const time = Math.floor(this.#settings.clock.now());
    if (Number.isSafeInteger(time) && time >= 0 && time < 2 ** 48) return time;
    throw new KeyfoldError('INVALID_ARGUMENT', 'The clock gives no time in milliseconds since 1970.');
  }

  get #name(): string {
    return JSON.stringify(this.#settings.keyLabel);
  }
}

/** A version that wraps no more but still unwraps is switched on. */
function isOff({ decrypt, unwrap }: Permissions): boolean {
  return !decrypt && !unwrap;
}

/** What a key that is good may look like while another process is making it. */
function isUnfit(error: unknown): boolean {
  return isKeyfoldError(error, 'CONFIG_INVALID') || returnValue(error) === CKR.MECHANISM_INVALID;
}
