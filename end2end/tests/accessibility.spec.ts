import type { Page } from '@playwright/test';

import { expectAccessible } from '../support/axe';
import { expect, test } from '../support/test';
import { ANY } from '../support/control';
import { ADMIN, providerKey } from '../support/server';
import { Composer, createToken, enrol, fillSignIn, hydrated, png, signIn, spendDay } from './steps';

const WIDTHS = [375, 1280];

test.use({ allowedErrors: [/status of 40[0134]/] });

for (const theme of ['light', 'dark'] as const) {
  test.describe(theme, () => {
    test.slow();
    test.beforeEach(async ({ context, keypool }) => {
      await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    });

    test('the pages for everyone are accessible and fit their window', async ({ page }) => {
      for (const path of ['/sign-in', '/register', '/set-up', '/status', '/invitation?token=x', '/password?token=x', '/nowhere']) await expectGood(page, path, theme);
    });

    test('the pages behind the sign-in are accessible and fit their window', async ({ keypool, page }) => {
      await signIn(page, '/history');
      for (const path of ['/', '/history', '/set-up/key']) await expectGood(page, path, theme);
      await spendDay(keypool.simulator, providerKey(1));

      // An analysis to look at, through a key that is spent by now.
      const composer = new Composer(page);
      await page.goto('/');
      await hydrated(page);
      await composer.ask('Name three kinds of clouds.');
      await expect(composer.line).toContainText('Done');
      const link = await composer.answer.getByRole('link', { name: 'Open in history' }).getAttribute('href');
      for (const path of [link ?? '', '/history', '/status']) await expectGood(page, path, theme);
    });

    test('the pages of one\'s own account are accessible in all their states', async ({ page }) => {
      await signIn(page, '/account?done=name');
      await expectGoodAt(page, theme);
      await page.locator('summary', { hasText: 'Delete the account' }).click();
      await page.getByLabel('Type your e-mail').fill('somebody@keypool.test');
      await page.locator('form[action="/account/delete"]').getByLabel('Your password').fill('x');
      await page.getByRole('button', { name: 'Delete my account' }).click();
      await expect(page.getByRole('alert')).toContainText('The account was not deleted');
      await expectGoodAt(page, theme);
      await expectGood(page, '/account/tokens', theme);
      await createToken(page, 'Nightly report');
      await expectGoodAt(page, theme);
      await page.goto('/account/tokens');
      await page.locator('summary', { hasText: 'Revoke' }).click();
      await expectGoodAt(page, theme);
      await expectGood(page, '/account/two-factor', theme);
      await page.getByLabel('Your password').fill(ADMIN.password);
      await page.getByRole('button', { name: 'Begin', exact: true }).click();
      await expectGoodAt(page, theme);
      await enrol(page);
      await expectGoodAt(page, theme);
      await page.goto('/account/two-factor');
      await page.locator('summary', { hasText: 'New recovery codes' }).click();
      await expectGoodAt(page, theme);
      await page.context().clearCookies({ name: 'keypool_session' });
      await page.goto('/sign-in');
      await fillSignIn(page, ADMIN.email, ADMIN.password);
      await page.getByLabel('Code').fill('1');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await expect(page.getByRole('alert')).toContainText('not signed in yet');
      await expectGoodAt(page, theme);
    });

    test('the pages about others are accessible in all their states', async ({ page }) => {
      await signIn(page, '/admin/users');
      await expectGoodAt(page, theme);
      await page.getByLabel('E-mail').fill('grace@keypool.test');
      await page.getByRole('button', { name: 'Create invitation' }).click();
      await expectGoodAt(page, theme);
      const link = await page.getByRole('region', { name: 'The link' }).innerText();
      await expectGood(page, '/admin/users', theme);
      await expectGood(page, '/admin/audit?check=1', theme);
      await page.locator('details.change summary').first().click();
      await expectGoodAt(page, theme);
      await expectGood(page, '/admin/audit?actor=nobody', theme);
      await page.context().clearCookies({ name: 'keypool_session' });
      await expectGood(page, link, theme);
      await page.getByLabel('Name').fill('Grace Hopper');
      await page.getByLabel('Password').fill('Nanoseconds-of-wire-11.8-inches');
      await page.getByRole('button', { name: 'Create account' }).click();
      await expect(page).toHaveURL('/');
      await page.context().clearCookies({ name: 'keypool_session' });
      await signIn(page, '/admin/users');
      await page.getByRole('link', { name: 'Grace Hopper' }).click();
      await page.locator('summary', { hasText: 'Delete account' }).click();
      await expectGoodAt(page, theme);
      await page.getByRole('button', { name: 'Create password link' }).click();
      await expect(page.getByTestId('once')).toBeVisible();
      await expectGoodAt(page, theme);
      await page.getByRole('button', { name: 'Disable' }).click();
      await expect(page.getByTestId('done')).toContainText('disabled');
      await expectGoodAt(page, theme);
    });

    test('the composer with all it can show is accessible', async ({ page }) => {
      const composer = await Composer.open(page);
      await composer.analyze.click();
      await expect(composer.form).toContainText('The prompt is empty');
      await expectGoodAt(page, theme);

      await composer.tab('Image');
      await composer.fileInput.setInputFiles([png('chart.png'), { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') }]);
      await expect(composer.form).toContainText('notes.txt is not an image');
      await composer.form.getByText('Model and options').click();
      await expectGoodAt(page, theme);

      await composer.ask('What is this?');
      await expect(composer.line).toContainText('Done');
      await expectGoodAt(page, theme);
    });

    test('waiting in line, and a refusal that counts down, are accessible', async ({ keypool, page }) => {
      for (const n of [1, 2, 3]) await keypool.simulator.rest(providerKey(n), 25);
      const composer = await Composer.open(page);
      await composer.ask('What is this?');
      await expect(composer.line).toContainText('next in line');
      await expectGoodAt(page, theme);
      await composer.stop.click();

      for (const n of [1, 2, 3]) await spendDay(keypool.simulator, providerKey(n));
      await page.request.post('/api/admin/keys/reset-quota', { headers: { origin: keypool.url } });
      await composer.ask('What is that?');
      await expect(composer.problem).toContainText('Possible in');
      await expectGoodAt(page, theme);
      await page.goto('/status');
      await hydrated(page);
      await expectGoodAt(page, theme);
    });

    test('an interrupted answer is accessible', async ({ keypool, page }) => {
      for (const n of [1, 2, 3]) await keypool.simulator.script(providerKey(n), ANY, [{ cut: { reset: { after_bytes: 900 } } }]);
      const composer = await Composer.open(page);
      await composer.ask('What is this?');
      await expect(composer.problem).toBeVisible();
      await expectGoodAt(page, theme);
    });
  });
}

async function expectGood(page: Page, path: string, theme: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
  await expectGoodAt(page, theme);
}

/** Accessible in every width, without scrolling sideways. */
async function expectGoodAt(page: Page, theme: string): Promise<void> {
  await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide, `${page.url()} does not scroll sideways at ${width} px`).toBeLessThanOrEqual(width);
    await expectAccessible(page);
  }
}
