import { createRequire } from 'node:module';
import { join } from 'node:path';
import { KeyfoldError } from '@keyfold/core/provider';
import protobuf, { type INamespace, type Root, type Service } from 'protobufjs';

const PROTOS = '@google-cloud/kms/build/protos/protos.json';
const SERVICE = 'google.cloud.kms.v1.KeyManagementService';

/** The contract of Cloud KMS, as Google's SDK ships it: the one beside this package, or of the project it runs in. */
export function loadService(folders: readonly string[] = [import.meta.url, join(process.cwd(), 'package.json')], protos = PROTOS): Service {
  for (const folder of folders) {
    const root = rootFrom(folder, protos);
    const service = root?.lookupService(SERVICE);
    service?.resolveAll();
    if (service !== undefined) return service;
  }
  throw new KeyfoldError('CONFIG_INVALID', 'GcpKmsServer needs the protos that ship inside @google-cloud/kms: npm install --save-dev @google-cloud/kms');
}

function rootFrom(folder: string, protos: string): Root | undefined {
  try {
    return protobuf.Root.fromJSON(createRequire(folder)(protos) as INamespace);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
