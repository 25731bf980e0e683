import { expectAccessible } from '../support/axe';
import { expect, test } from '../support/test';

test('a new Keypool answers, and its first page is accessible', async ({ keypool, page }) => {
  expect((await page.request.get('/healthz')).status()).toBe(200);

  const response = await page.goto('/');

  expect(response?.ok(), `${response?.status()} of ${page.url()}`).toBe(true);
  await expect(page.getByRole('main')).toBeVisible();
  await expectAccessible(page);
  expect((await keypool.simulator.calls()).in_progress).toBe(0);
});
