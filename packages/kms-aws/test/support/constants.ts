import { wrapContext } from '@keyfold/core/provider';

export const ACCOUNT = '111122223333';
export const REGION = 'eu-west-1';
/** Well-formed, of no account. */
export const CREDENTIALS = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'wJalrXUtnFEMIexampleexampleexampleexample0' };
export const KEY_ARN = `arn:aws:kms:${REGION}:${ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
export const CONTEXT = wrapContext('checkpoint', 'acme', 'job-7/chk-42', new Uint8Array(16).fill(7));
export const OTHER_CONTEXT = wrapContext('checkpoint', 'globex', 'job-7/chk-42', new Uint8Array(16).fill(7));
