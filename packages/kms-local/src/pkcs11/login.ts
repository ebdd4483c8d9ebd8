import { KeyfoldError } from '@keyfold/core/provider';
import { CKF, CKR, CKS_USER, CKU_USER } from './constants.ts';
import { isRefusedPin, returnValue, tokenError } from './error-codes.ts';
import type { Settings } from './options.ts';
import { readPin } from './pin.ts';
import type { Cryptoki, Handle, TokenInfo } from './sdk.ts';

/** Whether the user is logged in, which holds for all sessions that the process has with the token. */
export function isLoggedIn(cryptoki: Cryptoki, session: Handle): boolean {
  return CKS_USER.includes(cryptoki.C_GetSessionInfo(session).state);
}

/**
 * Logs the user in, once for each token and process. A PIN that the token
 * refuses is never tried a second time by the same client, because a few wrong
 * ones lock a token for good; nor is the last try spent.
 */
export class Login {
  readonly #settings: Pick<Settings, 'pin' | 'pinFile'>;
  #refused: KeyfoldError | undefined;

  constructor(settings: Pick<Settings, 'pin' | 'pinFile'>) {
    this.#settings = settings;
  }

  /** @throws KeyfoldError AUTHENTICATION_FAILED, CONFIG_INVALID (no PIN), KMS_UNAVAILABLE; what the binding throws */
  async ensure(cryptoki: Cryptoki, session: Handle, info: TokenInfo): Promise<void> {
    if ((info.flags & CKF.LOGIN_REQUIRED) === 0 || isLoggedIn(cryptoki, session)) return;
    if (this.#refused !== undefined) throw this.#refused;
    refuseLastTry(info);
    const pin = await readPin(this.#settings);
    try {
      cryptoki.C_Login(session, CKU_USER, pin);
    } catch (error) {
      // Another client or thread of this process was faster.
      if (returnValue(error) === CKR.USER_ALREADY_LOGGED_IN) return;
      const typed = tokenError(error, 'Logging in to the token');
      if (isRefusedPin(error)) this.#refused = typed;
      throw typed;
    }
  }
}

function refuseLastTry({ flags }: TokenInfo): void {
  if ((flags & CKF.USER_PIN_LOCKED) !== 0) {
    throw new KeyfoldError('AUTHENTICATION_FAILED', 'The PIN of the token is locked after too many wrong ones; the security officer has to set a new one.');
  }
  if ((flags & CKF.USER_PIN_FINAL_TRY) !== 0) {
    throw new KeyfoldError(
      'AUTHENTICATION_FAILED',
      "One more wrong PIN would lock the token, so none is tried. Log in once by hand with the right PIN, with the token's own tool, and try again.",
    );
  }
}
