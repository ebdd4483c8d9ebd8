import { KeyfoldError } from '@keyfold/core/provider';
import { CKF } from './constants.ts';
import { tokenError } from './error-codes.ts';
import { unsigned } from './handles.ts';
import type { TokenSelector } from './options.ts';
import type { Cryptoki, Handle, TokenInfo } from './sdk.ts';

/** A slot with the token that is in it. */
export interface FoundToken {
  readonly slot: Handle;
  readonly info: TokenInfo;
  /** The token's label without its padding. */
  readonly label: string;
}

/**
 * The one token that matches.
 * @throws KeyfoldError KMS_UNAVAILABLE (none), CONFIG_INVALID (several)
 */
export function findToken(cryptoki: Cryptoki, wanted: TokenSelector): FoundToken {
  const present = initialisedTokens(cryptoki);
  const matching = present.filter((token) => matches(cryptoki, token, wanted));
  const [found, another] = matching;
  if (found === undefined) {
    const labels = present.map(({ label }) => JSON.stringify(label)).join(', ');
    throw new KeyfoldError(
      'KMS_UNAVAILABLE',
      `No token matches. The module has ${present.length === 0 ? 'no initialised token' : `these: ${labels}`}. Plug it in, or correct the option token.`,
    );
  }
  if (another !== undefined) {
    throw new KeyfoldError('CONFIG_INVALID', `${matching.length} tokens match. Say which by its serial: ${matching.map(({ info }) => info.serialNumber.trim()).join(', ')}.`);
  }
  return found;
}

function initialisedTokens(cryptoki: Cryptoki): FoundToken[] {
  let slots: Handle[];
  try {
    slots = cryptoki.C_GetSlotList(true);
  } catch (error) {
    throw tokenError(error, 'Listing the tokens');
  }
  return slots.flatMap((slot) => {
    const info = tokenInfo(cryptoki, slot);
    if (info === undefined || (info.flags & CKF.TOKEN_INITIALIZED) === 0) return [];
    return [{ slot, info, label: info.label.trimEnd() }];
  });
}

/** Undefined for a token that was removed or does not answer: others may. */
function tokenInfo(cryptoki: Cryptoki, slot: Handle): TokenInfo | undefined {
  try {
    return cryptoki.C_GetTokenInfo(slot);
  } catch {
    return undefined;
  }
}

function matches(cryptoki: Cryptoki, { slot, info, label }: FoundToken, wanted: TokenSelector): boolean {
  const same = (expected: string | undefined, actual: string): boolean => expected === undefined || expected === actual.trimEnd();
  if (wanted.slot !== undefined && unsigned(slot) !== wanted.slot) return false;
  if (!same(wanted.label, label) || !same(wanted.serial, info.serialNumber)) return false;
  if (!same(wanted.manufacturer, info.manufacturerID) || !same(wanted.model, info.model)) return false;
  if (wanted.slotDescription !== undefined || wanted.slotManufacturer !== undefined) {
    const about = cryptoki.C_GetSlotInfo(slot);
    if (!same(wanted.slotDescription, about.slotDescription) || !same(wanted.slotManufacturer, about.manufacturerID)) return false;
  }
  return libraryMatches(cryptoki, wanted, same);
}

function libraryMatches(cryptoki: Cryptoki, wanted: TokenSelector, same: (expected: string | undefined, actual: string) => boolean): boolean {
  const { libraryManufacturer, libraryDescription, libraryVersion } = wanted;
  if (libraryManufacturer === undefined && libraryDescription === undefined && libraryVersion === undefined) return true;
  const library = cryptoki.C_GetInfo();
  return (
    same(libraryManufacturer, library.manufacturerID) &&
    same(libraryDescription, library.libraryDescription) &&
    (libraryVersion === undefined ||
      (libraryVersion.major === library.libraryVersion.major && libraryVersion.minor === library.libraryVersion.minor))
  );
}
