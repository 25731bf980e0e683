import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { defineConfig } from '@playwright/test';

import { targetDir } from './support/paths';
import type { KeypoolOptions } from './support/test';

/** The system's Chromium: a browser is never downloaded. */
function chromium(): string {
  const candidates = [process.env.KEYPOOL_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error('no Chromium: run `cargo xtask test --only tools`, or set KEYPOOL_CHROMIUM');
  return found;
}

export default defineConfig<KeypoolOptions>({
  testDir: 'tests',
  outputDir: join(targetDir, 'playwright'),
  reporter: 'list',
  forbidOnly: process.env.CI !== undefined,
  // A test that fails now and then is a failing test.
  retries: 0,
  workers: 2,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'UTC',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: chromium(),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
