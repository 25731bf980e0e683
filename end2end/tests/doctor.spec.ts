import type { Page } from '@playwright/test';

import { expectAccessible } from '../support/axe';
import { ANY } from '../support/control';
import { providerKey } from '../support/server';
import { expect, test } from '../support/test';
import { hydrated, signIn, spendDay } from './steps';

/** The report's one line on everything. */
const summary = (page: Page) => page.getByTestId('summary');

test('an admin finds the report in the navigation and tests the keys', async ({ page }) => {
  await signIn(page, '/history');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Doctor' }).click();
  await expect(page).toHaveURL('/admin/doctor');
  await expect(page.getByTestId('checks')).toContainText('3 of 3 keys can be used.');
  await expect(page.getByTestId('environment').getByRole('row', { name: /GOOGLE_AI_API_KEY_3/ })).toContainText('Set');
  await expect(page.getByTestId('environment').getByRole('row', { name: /MONGO_URI/ })).toContainText('Missing');

  await page.getByRole('button', { name: 'Test all keys' }).click();
  await expect(page.getByTestId('key-tests').getByRole('row')).toHaveCount(4);
  await expect(page.getByTestId('key-tests')).toContainText('Passed');

  await page.getByRole('button', { name: 'Run a test request' }).click();
  await expect(page.getByTestId('request-test')).toContainText('Passed');
  await expect(page.getByTestId('key-tests'), 'the other test stays').toBeVisible();
  expect(await page.content()).not.toContain(providerKey(1));
});

test('the report is copied as text', async ({ context, page }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(page, '/admin/doctor');
  await hydrated(page);
  await page.getByRole('button', { name: 'Copy as text' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('1. Environment configuration');
});

test('the buttons are reached and pressed by keyboard', async ({ page }) => {
  await signIn(page, '/admin/doctor');
  await hydrated(page);
  const button = page.getByRole('button', { name: 'Test all keys' });
  for (let presses = 0; presses < 40 && !(await button.evaluate((element) => element === document.activeElement)); presses += 1) {
    await page.keyboard.press('Tab');
  }
  await expect(button).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('key-tests')).toBeVisible();
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });

  test('the tests run and their results are read', async ({ keypool, page }) => {
    for (const model of [ANY, '(probes)']) await keypool.simulator.always(providerKey(2), model, { reply: { fixture: 'key-not-valid' } });
    await signIn(page, '/admin/doctor');
    await page.getByRole('button', { name: 'Test all keys' }).click();
    const row = page.getByTestId('key-tests').getByRole('row', { name: /Key 2/ });
    await expect(row).toContainText('Failed');
    await expect(row).toContainText('AI Studio');
    await expect(summary(page)).toContainText('failed');
  });
});

for (const theme of ['light', 'dark'] as const) {
  test(`the report is accessible and fits its window (${theme})`, async ({ context, keypool, page }) => {
    test.slow();
    await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    for (const model of [ANY, '(probes)']) await keypool.simulator.always(providerKey(2), model, { reply: { fixture: 'key-not-valid' } });
    await spendDay(keypool.simulator, providerKey(1));
    await signIn(page, '/admin/doctor');
    await hydrated(page);
    await page.getByRole('button', { name: 'Test all keys' }).click();
    await page.getByRole('button', { name: 'Run a test request' }).click();
    await expect(page.getByTestId('request-test')).toBeVisible();
    await hydrated(page);
    for (const width of [375, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide, `it does not scroll sideways at ${width} px`).toBeLessThanOrEqual(width);
      await expectAccessible(page);
    }
  });
}
