import { type BrowserContext, expect, test as base } from '@playwright/test';

import { Keypool, type KeypoolSetup } from './server';

export { expect };

export interface KeypoolOptions {
  /** How `keypool` is set up: `test.use({ setup: { keys: 1 } })`. */
  setup: Partial<KeypoolSetup>;
  /** Console errors that belong to the test, such as the browser's own line for a failed request. */
  allowedErrors: RegExp[];
}

interface Fixtures {
  /** A Keypool for this test alone, with its simulated provider. `page.goto('/')` goes there. */
  keypool: Keypool;
  errorGuard: undefined;
}

/**
 * Playwright's `test` with a Keypool. An error in the console of any page fails the test: an exception, a violation of
 * the content security policy, a file that is missing.
 */
export const test = base.extend<KeypoolOptions & Fixtures>({
  setup: [{}, { option: true }],
  allowedErrors: [[], { option: true }],

  keypool: async ({ setup }, use, testInfo) => {
    const keypool = await Keypool.start(setup);
    await use(keypool);
    const stopped = keypool.stop();
    const clean = await stopped.then(() => true, () => false);
    if (!clean || testInfo.status !== testInfo.expectedStatus) {
      await testInfo.attach('keypool.log', { body: keypool.log, contentType: 'text/plain' });
    }
    await stopped;
  },

  baseURL: async ({ keypool }, use) => use(keypool.url),

  errorGuard: [
    async ({ context, allowedErrors }, use) => {
      const errors = await watchErrors(context);
      await use(undefined);
      const unexpected = errors.filter((error) => !allowedErrors.some((allowed) => allowed.test(error)));
      expect(unexpected, 'errors in the console').toEqual([]);
    },
    { auto: true },
  ],
});

/** Collects the console errors of every page of a context, for contexts that a test opens itself. */
export async function watchErrors(context: BrowserContext): Promise<string[]> {
  const errors: string[] = [];
  // Chromium names a violation in the console already; this also hears of those that are only reported.
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`content security policy: ${event.violatedDirective} blocked ${event.blockedURI || 'inline code'}`);
    });
  });
  context.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (webError) => errors.push(String(webError.error())));
  return errors;
}
