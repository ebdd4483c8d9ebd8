import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode, KeyfoldError } from '@keyfold/core/provider';
import { afterAll, inject } from 'vitest';
import { Pkcs11Kms, type Pkcs11KmsClient, type Pkcs11Options } from '../../../src/pkcs11/index.ts';
import { refusal } from '../../support/keyring.ts';

export const PIN = 'wren-7-lantern';
export const LABEL = 'keyfold test';

/** A SoftHSM of this process alone, with one token. */
export interface SoftHsm {
  /** Holds everything; mode 0700. */
  readonly directory: string;
  /** The directories of its tokens. */
  readonly tokens: string;
  /** The module behind which faults can be set. */
  readonly module: string;
  /** What other processes need to use the same token. */
  readonly env: Readonly<Record<string, string>>;
  /** What opens a key on the token; every call without a label gives another key. */
  options(more?: Partial<Pkcs11Options>): Pkcs11Options;
  create(more?: Partial<Pkcs11Options>): Promise<Pkcs11KmsClient>;
  /** Adds a token. Only tokens that are there before the module is first used are seen. */
  addToken(label: string): void;
  /** What the module does from now on, see fixtures/faulty-module.c; nothing ends it. */
  fault(...lines: string[]): void;
  /** How often a function was called. */
  calls(name: string): number;
}

/** To be called once in a file, before anything touches the module. */
export function useSoftHsm(): SoftHsm {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-softhsm-'));
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const [tokens, conf, faults, calls] = ['tokens', 'softhsm2.conf', 'faults', 'calls'].map((name) => join(directory, name)) as [string, string, string, string];
  mkdirSync(tokens);
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  writeFileSync(faults, '');
  writeFileSync(calls, '');
  const env = { SOFTHSM2_CONF: conf, KEYFOLD_TEST_MODULE: inject('softHsm'), KEYFOLD_TEST_FAULTS: faults, KEYFOLD_TEST_CALLS: calls };
  Object.assign(process.env, env);
  let keys = 0;
  const options = (more: Partial<Pkcs11Options> = {}): Pkcs11Options => ({
    module: inject('faultyModule'),
    token: LABEL,
    keyLabel: `key ${++keys}`,
    pin: PIN,
    ...more,
  });
  const addToken = (label: string): void => {
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', label, '--pin', PIN, '--so-pin', 'officer-pin'], { stdio: 'ignore' });
  };
  addToken(LABEL);
  return {
    directory,
    tokens,
    module: inject('faultyModule'),
    env,
    options,
    create: (more) => Pkcs11Kms.create(options(more)),
    addToken,
    fault: (...lines) => {
      writeFileSync(`${faults}~`, lines.map((line) => `${line}\n`).join(''));
      renameSync(`${faults}~`, faults);
    },
    calls: (name) => readFileSync(calls, 'utf8').split('\n').filter((line) => line === name).length,
  };
}

/** A refusal that shows no PIN, wherever one looks. */
export async function safeRefusal(code: ErrorCode, work: Promise<unknown> | (() => unknown)): Promise<KeyfoldError> {
  const error = await refusal(code, work);
  const shown = [error.message, error.stack, JSON.stringify(error), JSON.stringify(error.cause)].join('\n');
  if (shown.includes(PIN)) throw new Error('An error shows the PIN.');
  return error;
}
