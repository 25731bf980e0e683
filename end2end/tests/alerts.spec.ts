import type { Page } from '@playwright/test';

import { ANY } from '../support/control';
import { expectAccessible } from '../support/axe';
import { type Keypool, providerKey } from '../support/server';
import { expect, test } from '../support/test';
import { hydrated, signIn } from './steps';

/** The provider withdraws a key that is asked first: an alert at once. */
async function loseAKey(page: Page, keypool: Keypool): Promise<void> {
  await keypool.simulator.always(providerKey(1), ANY, { reply: { fixture: 'key-leaked' } });
  const headers = { origin: keypool.url };
  const switched = await page.request.post('/api/admin/keys/switch', { data: { keyNumber: 1 }, headers });
  expect(switched.status()).toBe(200);
  const answer = await page.request.post('/api/ai-analysis/analyze', {
    data: { prompt: 'Why do rivers meander?', fresh: true },
    headers,
  });
  expect(answer.status()).toBe(200);
  await expect(async () => {
    await page.goto('/admin/alerts');
    await expect(page.getByRole('button', { name: /^Acknowledge/ })).toBeVisible({ timeout: 500 });
  }).toPass();
}

test('an alert is acknowledged, silenced and ended from the keyboard', async ({ keypool, page }) => {
  await signIn(page, '/admin/alerts');
  await expect(page.getByText('No rule finds anything wrong.')).toBeVisible();
  await loseAKey(page, keypool);

  await page.getByRole('button', { name: /^Acknowledge/ }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByText('acknowledged by')).toBeVisible();

  await page.getByRole('combobox', { name: 'Silence for' }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByText('silenced until')).toBeVisible();

  await page.goto('/overview');
  await expect(page.getByRole('region', { name: 'Recent alerts' })).toContainText('Key 1');

  await page.goto('/admin/alerts');
  await page.getByRole('button', { name: /^End ?:/ }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByText('No rule finds anything wrong.')).toBeVisible();
});

test('a rule is tried, changed and taken back from the keyboard', async ({ page }) => {
  await signIn(page, '/admin/alerts');
  const rule = page.locator('details.rule', { hasText: 'Low success rate of a key' });
  await rule.locator('summary').focus();
  await page.keyboard.press('Enter');
  const threshold = rule.getByLabel(/^Threshold/);
  await threshold.fill('95');
  await rule.getByRole('button', { name: 'Preview' }).focus();
  await page.keyboard.press('Enter');
  await expect(rule.getByText('Over the usage of the last 24 hours')).toBeVisible();
  await expect(threshold).toHaveValue('95');
  await expect(rule.locator('summary')).not.toContainText('Changed');

  await threshold.press('Enter');
  await expect(page.locator('details.rule', { hasText: 'Low success rate' }).locator('summary')).toContainText('Changed');
  await page.goto('/admin/alerts');
  await rule.locator('summary').click();
  await expect(threshold).toHaveValue('95');
  await rule.getByRole('button', { name: 'As it comes' }).click();
  await expect(rule.locator('summary')).not.toContainText('Changed');
});

for (const theme of ['light', 'dark'] as const) {
  test(`alerts are accessible and fit their window, ${theme}`, async ({ context, keypool, page }) => {
    await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    await signIn(page, '/admin/alerts');
    await loseAKey(page, keypool);
    await hydrated(page);
    for (const summary of await page.locator('details.rule > summary').all()) await summary.click();
    for (const width of [375, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide, `it does not scroll sideways at ${width} px`).toBeLessThanOrEqual(width);
      await expectAccessible(page);
    }
  });
}
