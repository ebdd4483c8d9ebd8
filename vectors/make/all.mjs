// Which cases go into which file.
import { blindIndexes } from './blind-indexes.mjs';
import { checkpoints } from './checkpoints.mjs';
import { contexts } from './contexts.mjs';
import { dataObjects } from './data-objects.mjs';
import { fields } from './fields.mjs';
import { hiddenCheckpoints } from './hidden-checkpoints.mjs';
import { hiddenNames } from './hidden-names.mjs';
import { keyRecords } from './key-records.mjs';
import { localKeyrings, localWraps } from './local-keyrings.mjs';
import { messages } from './messages.mjs';
import { objectNames } from './object-names.mjs';
import { ranges } from './ranges.mjs';
import { vaultRecords } from './vault-records.mjs';

const FILES = {
  'blind-index': blindIndexes,
  checkpoint: await checkpoints(),
  context: contexts,
  'core-message': messages,
  'data-object': await dataObjects(),
  field: fields(),
  'hidden-checkpoint': await hiddenCheckpoints(),
  'hidden-name': hiddenNames,
  'key-record': keyRecords(),
  'local-keyring': await localKeyrings(),
  'local-wrap': localWraps,
  'object-name': objectNames,
  range: await ranges(),
  'vault-record': vaultRecords,
};

/** Name and text of every file. */
export function makeAll() {
  const ids = new Set();
  return new Map(
    Object.entries(FILES).map(([name, cases]) => {
      for (const { id } of cases) {
        if (ids.has(id)) {
          throw new Error(`two cases have the id ${id}`);
        }
        ids.add(id);
      }
      // One case a line: a change of one is a line in a diff.
      const lines = cases.map((each) => `    ${JSON.stringify(each)}`).join(',\n');
      return [`${name}.json`, `{\n  "format": "keyfold-vectors",\n  "version": 1,\n  "cases": [\n${lines}\n  ]\n}\n`];
    }),
  );
}
