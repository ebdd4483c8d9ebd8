import { KeyfoldError, isKeyfoldError } from '@keyfold/core/provider';
import { CKF, CKR } from './constants.ts';
import { returnValue, tokenError } from './error-codes.ts';

/** A slot, session or object, as the binding passes them: the bytes of a CK_ULONG. */
export type Handle = Buffer;

export interface Mechanism {
  readonly mechanism: number;
  readonly parameter?: { type: number; iv: Buffer; ivBits: number; aad: Buffer; tagBits: number };
}

export interface Attribute {
  type: number;
  value?: Buffer | boolean | number | string;
}

/** What a token says about itself; texts are padded with blanks. */
export interface TokenInfo {
  readonly label: string;
  readonly manufacturerID: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly flags: number;
}

/** The part of pkcs11js 2.1 that is used. The methods that end in Async run on a thread of their own, the others on the caller's. */
export interface Cryptoki {
  C_Initialize(options: { flags: number }): void;
  C_Finalize(): void;
  C_GetInfo(): { manufacturerID: string; libraryDescription: string; libraryVersion: { major: number; minor: number } };
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetSlotInfo(slot: Handle): { slotDescription: string; manufacturerID: string };
  C_GetTokenInfo(slot: Handle): TokenInfo;
  C_GetMechanismList(slot: Handle): number[];
  C_GetMechanismInfo(slot: Handle, mechanism: number): { flags: number };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_GetSessionInfo(session: Handle): { state: number };
  C_Login(session: Handle, userType: number, pin: string): void;
  C_CreateObject(session: Handle, template: Attribute[]): Handle;
  C_DestroyObject(session: Handle, object: Handle): void;
  C_FindObjectsInit(session: Handle, template: Attribute[]): void;
  C_FindObjects(session: Handle, maxObjectCount: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(session: Handle, object: Handle, template: Attribute[]): { type: number; value: Buffer }[];
  C_SetAttributeValue(session: Handle, object: Handle, template: Attribute[]): void;
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void;
  C_EncryptAsync(session: Handle, input: Buffer, output: Buffer): Promise<Buffer>;
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void;
  C_DecryptAsync(session: Handle, input: Buffer, output: Buffer): Promise<Buffer>;
  C_GenerateKeyAsync(session: Handle, mechanism: Mechanism, template: Attribute[]): Promise<Handle>;
  C_WrapKeyAsync(session: Handle, mechanism: Mechanism, wrappingKey: Handle, key: Handle, output: Buffer): Promise<Buffer>;
  C_UnwrapKeyAsync(session: Handle, mechanism: Mechanism, unwrappingKey: Handle, wrapped: Buffer, template: Attribute[]): Promise<Handle>;
}

interface Binding {
  readonly PKCS11: new () => Cryptoki & { load(path: string): void };
}

/**
 * The modules of this thread. A module is the process's, whoever loads it, and
 * the binding unloads one when its object is collected: with the module goes
 * what all others in the process have open. So none is ever let go.
 */
const modules = new Map<string, Cryptoki>();

/**
 * Loads the binding, which is no dependency of this package, and a module into it.
 * @throws KeyfoldError NOT_SUPPORTED (no pkcs11js), CONFIG_INVALID (no such module, or none at all)
 */
export async function loadModule(path: string): Promise<Cryptoki> {
  const { PKCS11 } = await importBinding();
  const known = modules.get(path);
  if (known !== undefined) return known;
  const cryptoki = new PKCS11();
  try {
    cryptoki.load(path);
  } catch (error) {
    throw new KeyfoldError(
      'CONFIG_INVALID',
      `The PKCS#11 module ${path} cannot be loaded. Check that the file is there, is a PKCS#11 library for this machine, and finds the libraries that it needs (ldd shows them).`,
      { cause: error },
    );
  }
  modules.set(path, cryptoki);
  return cryptoki;
}

/**
 * C_Initialize, which counts for the whole process: that somebody else was first is fine.
 * @throws KeyfoldError KMS_UNAVAILABLE and others, see tokenError
 */
export function initialize(cryptoki: Cryptoki): void {
  try {
    cryptoki.C_Initialize({ flags: CKF.OS_LOCKING_OK });
  } catch (error) {
    if (returnValue(error) === CKR.CRYPTOKI_ALREADY_INITIALIZED) return;
    throw tokenError(error, 'Initialising the PKCS#11 module');
  }
}

async function importBinding(): Promise<Binding> {
  try {
    return (await import('pkcs11js')).default;
  } catch (error) {
    throw isKeyfoldError(error) ? error : missing(error);
  }
}

/** Which of the two is told by the code: a module that is not there, or a part of it. */
function missing(error: unknown): KeyfoldError {
  const absent = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
  return new KeyfoldError(
    'NOT_SUPPORTED',
    absent
      ? 'PKCS#11 tokens need the package pkcs11js, which is not installed. Run: npm install pkcs11js'
      : 'The package pkcs11js is installed, but its native part is missing or not for this machine. Permit its install script and run: npm rebuild pkcs11js',
    { cause: error },
  );
}
