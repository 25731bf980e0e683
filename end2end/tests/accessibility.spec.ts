import type { Page } from '@playwright/test';

import { expectAccessible } from '../support/axe';
import { expect, test } from '../support/test';
import { ANY } from '../support/control';
import { providerKey } from '../support/server';
import { Composer, hydrated, png, signIn, spendDay } from './steps';

const WIDTHS = [375, 1280];

test.use({ allowedErrors: [/status of 404/] });

for (const theme of ['light', 'dark'] as const) {
  test.describe(theme, () => {
    test.slow();
    test.beforeEach(async ({ context, keypool }) => {
      await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    });

    test('the pages for everyone are accessible and fit their window', async ({ page }) => {
      for (const path of ['/sign-in', '/register', '/set-up', '/status', '/nowhere']) await expectGood(page, path, theme);
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
