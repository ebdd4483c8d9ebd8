import { wrapContext } from '@keyfold/core/provider';

export const KEY = 'projects/test-project/locations/europe-west3/keyRings/ring/cryptoKeys/app';
export const CONTEXT = wrapContext('checkpoint', 'acme', 'job-7/chk-42', new Uint8Array(16).fill(7));
export const OTHER_CONTEXT = wrapContext('checkpoint', 'globex', 'job-7/chk-42', new Uint8Array(16).fill(7));
