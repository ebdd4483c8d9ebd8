import { createAlias, deleteAlias, listAliases, updateAlias } from './aliases.ts';
import { createKey } from './create-key.ts';
import { generateDataKey, generateDataKeyWithoutPlaintext } from './data-keys.ts';
import { describeKey, listKeys } from './describe-keys.ts';
import { decrypt, encrypt, reEncrypt } from './encrypt-decrypt.ts';
import type { Operation } from './operation.ts';

/** Every operation that the server carries out, by name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [
    createAlias,
    createKey,
    decrypt,
    deleteAlias,
    describeKey,
    encrypt,
    generateDataKey,
    generateDataKeyWithoutPlaintext,
    listAliases,
    listKeys,
    reEncrypt,
    updateAlias,
  ].map((operation) => [operation.name, operation]),
);
