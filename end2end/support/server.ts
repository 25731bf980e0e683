import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { SimulatorControl } from './control';
import { program, siteDir } from './paths';
import { Program } from './program';

/** How a Keypool is set up for a test. */
export interface KeypoolSetup {
  /** How many provider keys the environment names. */
  keys: number;
  /** `human` writes answers at the speed of a model, so that a test can look at a half-written one. */
  pace: 'instant' | 'human';
  /** Whether the first admin is in the environment; without it and without keys, Keypool opens on its first-run set-up. */
  admin: boolean;
  /** More variables for the server. */
  env: Record<string, string>;
}

export const DEFAULT_SETUP: KeypoolSetup = { keys: 3, pace: 'instant', admin: true, env: {} };

/** The first admin's sign-in. */
export const ADMIN = { email: 'admin@keypool.test', password: 'Grey-herons-wade-at-dawn-41' };

/** The n-th provider key, from 1, in the shape of the provider's own. */
export function providerKey(n: number): string {
  return `AIzaSimulatedKey-${String(n).padStart(22, '0')}`;
}

/** Where `cargo xtask test` looks for secrets in the logs of all suites. */
const CANARY_DIR = process.env.KEYPOOL_CANARY_DIR;

const SECRETS = [ADMIN.password, ...numbers(9).map(providerKey)];

/** Which files of a data folder hold a secret of the tests. */
async function secretsIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const bytes = await readFile(join(folder, name)).catch(() => Buffer.alloc(0));
    if (SECRETS.some((secret) => bytes.includes(secret))) found.push(name);
  }
  return found;
}

/** A server with its simulated provider and a data folder of its own. */
export class Keypool {
  private constructor(
    /** Where it listens: `http://127.0.0.1:PORT`. */
    readonly url: string,
    /** The provider's controls. */
    readonly simulator: SimulatorControl,
    private readonly folder: string,
    private readonly server: Program,
    private readonly provider: Program,
  ) {}

  static async start(setup: Partial<KeypoolSetup> = {}): Promise<Keypool> {
    const { keys, pace, admin, env } = { ...DEFAULT_SETUP, ...setup };
    const folder = await mkdtemp(join(tmpdir(), 'keypool-end2end-'));
    let provider: Program | undefined;
    try {
      const simulator = await Program.start(program('keypool-simulator'), ['--port', '0', '--pace', pace], {
        cwd: folder,
        ready: /(http:\/\/\S+:\d+)/,
      });
      provider = simulator.program;
      const server = await Program.start(program('keypool'), ['serve'], {
        cwd: folder,
        env: {
          HOST: '127.0.0.1',
          PORT: '0',
          DATA_DIR: join(folder, 'data'),
          SITE_DIR: siteDir,
          LOG_FORMAT: 'json',
          // For the look at all logs when every suite has run.
          ...(CANARY_DIR === undefined ? {} : { LOG_LEVEL: 'trace' }),
          GOOGLE_AI_BASE_URL: simulator.address,
          ...Object.fromEntries(numbers(keys).map((n) => [`GOOGLE_AI_API_KEY_${n}`, providerKey(n)])),
          ...(admin ? { KEYPOOL_ADMIN_EMAIL: ADMIN.email, KEYPOOL_ADMIN_PASSWORD: ADMIN.password } : {}),
          ...env,
        },
        ready: /listening on (http:\/\/[^\s"]+)/,
      });
      const control = new SimulatorControl(simulator.address);
      return new Keypool(server.address.replace(/\/$/, ''), control, folder, server.program, simulator.program);
    } catch (error) {
      await provider?.kill();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Everything the server has logged. */
  get log(): string {
    return this.server.log;
  }

  /** Waits for a line of the server's log and returns the first group of the match: a set-up link, for example. */
  async waitForLog(pattern: RegExp): Promise<string> {
    return this.server.waitForLine(pattern);
  }

  /** Stops both programs. Errors when the server did not stop cleanly, or when its log holds a secret. */
  async stop(): Promise<void> {
    const code = await this.server.stop();
    await this.provider.stop();
    const stored = await secretsIn(join(this.folder, 'data'));
    if (CANARY_DIR !== undefined) await writeFile(join(CANARY_DIR, `${basename(this.folder)}.log`), this.log);
    await rm(this.folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`keypool did not stop cleanly (${code})\n${this.log}`);
    const leaked = SECRETS.filter((secret) => this.log.includes(secret));
    if (leaked.length > 0) throw new Error(`keypool logged ${leaked.length} secret(s): ${leaked.join(', ')}`);
    if (stored.length > 0) throw new Error(`keypool stored a secret in the clear: ${stored.join(', ')}`);
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
