export { createLocalKeyFile } from './key-file.ts';
export { LocalKms } from './local-kms.ts';
export type { LocalKmsClient } from './local-kms-client.ts';
export type { CreateOptions, KdfOptions, OpenOptions, Password, UnlockOptions } from './options.ts';
export { openKmsUrl, type LocalKmsUrlOptions } from './url.ts';
