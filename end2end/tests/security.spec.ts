import type { Page } from '@playwright/test';

import { ANY } from '../support/control';
import { Elsewhere } from '../support/elsewhere';
import { Keypool, providerKey } from '../support/server';
import { expect, test } from '../support/test';
import { Composer, createToken, enrol, hydrated, signIn } from './steps';

/** Every page there is: the first for everyone, the others behind the sign-in. */
const PUBLIC = ['/sign-in', '/register', '/set-up', '/status', '/invitation?token=x', '/password?token=x', '/nowhere'];
const PRIVATE = [
  '/',
  '/history',
  '/account',
  '/account/two-factor',
  '/account/tokens',
  '/set-up/key',
  '/admin/users',
  '/admin/audit?check=1',
  '/admin/doctor',
];

/** Marks that only script of an attacker leaves. */
const INJECTION = '<script>document.title="taken"</script><img src=x onerror=\'document.title="taken"\'><b onclick="document.title=1">x</b>';

test.describe('the content security policy', () => {
  test.use({ allowedErrors: [/status of 404/] });

  for (const theme of ['light', 'dark'] as const) {
    // The fixture fails the test on any violation; see `watchErrors`.
    test(`every page runs under it without a violation (${theme})`, async ({ context, keypool, page }) => {
      test.slow();
      await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
      for (const path of PUBLIC) await visit(page, path);
      await signIn(page);
      for (const path of PRIVATE) await visit(page, path);
      const token = await createToken(page, 'Shown once');
      await hydrated(page);
      expect(token).toMatch(/^kp_/);
      await enrol(page);
      await hydrated(page);
    });
  }

  test('it is the one that is written down, with a nonce of its own for every page', async ({ page }) => {
    const policies: string[] = [];
    for (const path of ['/sign-in', '/status', '/sign-in']) {
      const headers = (await page.goto(path))?.headers() ?? {};
      policies.push(headers['content-security-policy'] ?? '');
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('no-referrer');
      expect(headers['cross-origin-opener-policy']).toBe('same-origin');
      expect(headers['cache-control']).toContain('no-store');
    }
    const nonces = policies.map((policy) => /'nonce-([^']+)'/.exec(policy)?.[1] ?? '');
    expect(new Set(nonces).size).toBe(3);
    expect(policies.map((policy, index) => policy.replaceAll(nonces[index] ?? '?', 'N'))).toEqual(
      Array.from({ length: 3 }, () =>
        [
          "default-src 'none'",
          "script-src 'nonce-N' 'strict-dynamic' 'wasm-unsafe-eval'",
          "style-src 'self' 'nonce-N'",
          "img-src 'self' data: blob:",
          "font-src 'self'",
          "connect-src 'self'",
          "form-action 'self'",
          "base-uri 'none'",
          "frame-ancestors 'none'",
        ].join('; '),
      ),
    );
  });
});

test.describe('what an attacker gets onto a page', () => {
  test.use({ allowedErrors: [/content security policy|status of 404/i] });

  test('script that stands in the page does not run, because the policy stops it', async ({ page }) => {
    await signIn(page, '/history');
    await hydrated(page);
    await page.evaluate((html) => {
      const place = document.querySelector('main');
      if (place) place.innerHTML = html;
      place?.insertAdjacentHTML('beforeend', '<iframe srcdoc="<script>parent.document.title=1</script>"></iframe>');
    }, INJECTION);
    await page.locator('main b').click();
    await expect(page).toHaveTitle(/History/);
  });

  test('script in a prompt and in a model answer is text', async ({ keypool, page }) => {
    const answer = `${INJECTION}\n\n[a](javascript:document.title=1) [b](https://example.com/) ![c](https://tracker.example/p.png)`;
    const body = JSON.stringify({
      candidates: [{ content: { role: 'model', parts: [{ text: answer }] }, finishReason: 'STOP', index: 0 }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
      modelVersion: 'gemini-2.5-flash',
    });
    for (const n of [1, 2, 3]) {
      await keypool.simulator.always(providerKey(n), ANY, {
        reply: { respond: { status: 200, headers: [['content-type', 'text/event-stream']], body: `data: ${body}\r\n\r\n` } },
      });
    }
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const composer = await Composer.open(page);
    await composer.ask(INJECTION);
    await expect(composer.line).toContainText('Done');
    await expect(composer.answer).toContainText('document.title');
    await composer.answer.getByRole('link', { name: 'Open in history' }).click();
    const shown = page.getByTestId('answer');
    await expect(shown).toContainText('<script>document.title="taken"</script>');
    await expect(page.getByRole('main')).toContainText('<b onclick=');
    await expect(shown.getByRole('link', { name: 'b' })).toHaveAttribute('rel', 'noopener noreferrer nofollow');
    await expect(shown.locator('img, script, [onclick], a[href^="javascript"]')).toHaveCount(0);
    await page.goto('/history');
    await expect(page).toHaveTitle(/History/);
    expect(asked.filter((url) => !url.startsWith(keypool.url)), 'nothing is fetched from elsewhere').toEqual([]);
  });
});

test.describe('another site', () => {
  // The browser's own lines for what it refuses.
  test.use({ allowedErrors: [/status of 403|CORS policy|frame-ancestors|ERR_|Refused to/] });

  for (const who of ['sibling', 'stranger'] as const) {
    test(`cannot send our forms or call our API with the cookie of a person (${who})`, async ({ keypool, page }) => {
      await signIn(page, '/account');
      const elsewhere = await Elsewhere.start(() => trap(keypool.url));
      try {
        await page.goto(elsewhere[who]);
        // Waits until every call of the page has ended; what they could read stands in the page.
        await expect(page.locator('html[data-done]')).toBeAttached();
        const read = (await page.locator('#read').innerText()).split('\n');
        expect(read.filter((line) => line !== '' && !line.endsWith('nothing')), 'what it could read').toEqual([]);

        const answer = page.waitForResponse((response) => response.url() === `${keypool.url}/account/name`);
        await page.locator('#forged').evaluate((form: HTMLFormElement) => form.submit());
        const refused = await answer;
        expect(refused.status()).toBe(403);
        // The answer is there before the browser has moved to it.
        await page.waitForURL(`${keypool.url}/account/name`);

        await page.goto(`${keypool.url}/account`);
        await expect(page, 'still signed in').toHaveURL('/account');
        await expect(page.getByLabel('Name'), 'nothing was changed').not.toHaveValue('Mallory');
        await page.goto(`${keypool.url}/history`);
        await expect(page.getByRole('main')).toContainText('Nothing analysed yet');
        await page.goto(`${keypool.url}/account/tokens`);
        await expect(page.getByRole('main')).toContainText('You have no token yet.');
      } finally {
        await elsewhere.stop();
      }
    });

    test(`cannot put our pages into a frame (${who})`, async ({ keypool, page }) => {
      await signIn(page, '/account');
      const elsewhere = await Elsewhere.start(() => `<!doctype html><title>frame</title><iframe name="us" src="${keypool.url}/account"></iframe>`);
      try {
        await page.goto(elsewhere[who]);
        const frame = page.frame({ name: 'us' });
        await expect.poll(() => frame?.url()).toContain('chrome-error');
        await expect(page.frameLocator('iframe').getByLabel('Name')).toHaveCount(0);
      } finally {
        await elsewhere.stop();
      }
    });
  }
});

test('a page of an allowed origin calls the API with its own token, and never with the cookie', async ({ browser }) => {
  const elsewhere = await Elsewhere.start(() => '<!doctype html><title>partner</title>');
  const keypool = await Keypool.start({ env: { CORS_ALLOWED_ORIGINS: elsewhere.sibling } });
  const context = await browser.newContext({ baseURL: keypool.url });
  try {
    const page = await context.newPage();
    await signIn(page);
    const token = await createToken(page, 'Partner');
    await page.goto(elsewhere.sibling);
    const call = (url: string, init: RequestInit) =>
      page.evaluate(
        ([url, init]) =>
          fetch(url, init).then(
            async (response) => `${response.status} ${(await response.json()).success}`,
            () => 'refused by the browser',
          ),
        [url, init] as const,
      );
    const analyze = `${keypool.url}/api/ai-analysis/analyze`;
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ prompt: 'Name three rivers.' });
    expect(await call(analyze, { method: 'POST', headers: { ...json, authorization: `Bearer ${token}` }, body })).toBe('200 true');
    expect(await call(analyze, { method: 'POST', headers: json, body }), 'without a credential of its own').toBe('401 false');
    expect(await call(analyze, { method: 'POST', headers: json, body, credentials: 'include' })).toBe('refused by the browser');
    expect(await call(`${keypool.url}/api/auth/me`, { credentials: 'include' })).toBe('refused by the browser');
    await page.goto(elsewhere.stranger);
    expect(await call(analyze, { method: 'POST', headers: { ...json, authorization: `Bearer ${token}` }, body }), 'another origin').toBe(
      'refused by the browser',
    );
    await page.goto(`${keypool.url}/history`);
    await expect(page.getByTestId('history').getByRole('row'), 'one analysis and the head').toHaveCount(2);
  } finally {
    await context.close();
    await keypool.stop();
    await elsewhere.stop();
  }
});

test('the cookie is out of reach of script, and signing in gives a new one', async ({ context, page }) => {
  await page.goto('/sign-in');
  await context.addCookies([{ name: 'keypool_session', value: 'AAAAAAAAAAAAAAAAAAAAAA', url: page.url() }]);
  await signIn(page, '/account');
  const cookie = (await context.cookies()).find(({ name }) => name.endsWith('keypool_session'));
  expect(cookie?.value).not.toBe('AAAAAAAAAAAAAAAAAAAAAA');
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  expect(await page.evaluate(() => document.cookie)).not.toContain('keypool_session');
});

async function visit(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

/** A page that tries what a page of another site can try with the cookie of whoever opens it. */
function trap(url: string): string {
  return `<!doctype html><title>trap</title><pre id="read"></pre>
<form id="forged" method="post" action="${url}/account/name"><input name="name" value="Mallory"></form>
<script>
  const tries = [
    ['/api/auth/me', { credentials: 'include' }],
    ['/account/tokens', { credentials: 'include' }],
    ['/account/name', { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ name: 'Mallory' }) }],
    ['/account/tokens', { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ name: 'x', scopes: 'analyze' }) }],
    ['/api/ai-analysis/analyze', { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': 'text/plain' }, body: '{"prompt":"x"}' }],
    ['/api/ai-analysis/analyze', { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x"}' }],
    ['/sign-out', { method: 'POST', mode: 'no-cors', credentials: 'include' }],
  ];
  Promise.all(tries.map(([path, init]) => fetch('${url}' + path, init).then((response) => response.text(), () => '').then((text) => {
    read.append(path + ': ' + (text === '' ? 'nothing' : text.slice(0, 80)) + '\\n');
  }))).then(() => { document.documentElement.dataset.done = ''; });
</script>`;
}
