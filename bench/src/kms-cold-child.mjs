// A fresh process that opens a key service and makes one data key: by import, and what it is told to open.
import { pathToFileURL } from 'node:url';

const [how, options] = [process.argv[2], JSON.parse(process.argv[3])];
const load = (path) => import(pathToFileURL(path).href);
const context = { purpose: 'wrap', use: 'checkpoint', tenant: 'bench', scope: 'cold', dek: '00'.repeat(16) };

async function open() {
  switch (how) {
    case 'local':
      return (await load(options.module)).LocalKms.open(options.path, { keyFile: options.keyFile });
    case 'aws': {
      const { region, endpoint, credentials } = options.client;
      return (await load(options.module)).AwsKms.open({ keyId: options.keyId, region, endpoint, clientOptions: { credentials } });
    }
    case 'sdk': {
      const kms = new (await load(options.module)).KMS({ ...options.client, maxAttempts: 1 });
      return { generateDataKey: () => kms.generateDataKey({ KeyId: options.keyId, KeySpec: 'AES_256', EncryptionContext: context }) };
    }
    default:
      return undefined;
  }
}

const kms = await open();
await kms?.generateDataKey({ context });
// Connections that are kept open are no part of the start.
process.exit(0);
