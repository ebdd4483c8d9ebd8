import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { arch, cpus, release, totalmem, type } from 'node:os';

const FILE_SYSTEMS = { 0xef53: 'ext2/3/4', 0x58465342: 'XFS', 0x9123683e: 'Btrfs', 0x01021994: 'tmpfs', 0x794c7630: 'overlayfs' };

/** What the numbers depend on. */
export async function describeMachine(directory) {
  const cores = cpus();
  const disk = await statfs(directory);
  const openssl = spawnSync('openssl', ['version'], { encoding: 'utf8' });
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()} ${arch()}`,
    node: process.version,
    opensslOfNode: process.versions.openssl,
    openssl: openssl.status === 0 ? openssl.stdout.split(' ').slice(0, 2).join(' ') : 'none',
    fileSystem: FILE_SYSTEMS[disk.type] ?? `type 0x${disk.type.toString(16)}`,
    loadAverage: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
    date: new Date().toISOString().slice(0, 10),
  };
}

export async function freeBytes(directory) {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
