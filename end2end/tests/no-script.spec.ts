import { expect, test } from '../support/test';
import { providerKey } from '../support/server';
import { PNG, png, signIn, spendDay } from './steps';

test.use({ javaScriptEnabled: false });

const PROMPT = 'Explain tides to a child.';

test('without script a text is analysed and the answer read', async ({ page }) => {
  await signIn(page);
  await page.getByLabel('Prompt').fill(PROMPT);
  await page.getByRole('button', { name: 'Analyze' }).click();

  await expect(page).toHaveURL(/\/history\/[0-9a-f-]+$/);
  await expect(page.getByTestId('answer')).toContainText(/simulated/i);
  await expect(page.getByTestId('answer').getByRole('heading').first()).toBeVisible();

  await page.goto('/history');
  await page.getByRole('row', { name: PROMPT }).getByRole('button', { name: /^Delete/ }).click();
  await expect(page.getByRole('main')).toContainText('Nothing analysed yet');
});

test('without script both kinds are in one form, and an image is analysed', async ({ keypool, page }) => {
  await signIn(page);
  await expect(page.getByRole('tab')).toHaveCount(0);
  await page.getByLabel('Prompt').fill('What is this?');
  await page.locator('input[type=file]').setInputFiles(png('chart.png'));
  await page.getByRole('button', { name: 'Analyze' }).click();

  await expect(page).toHaveURL(/\/history\/[0-9a-f-]+$/);
  const { calls } = await keypool.simulator.calls();
  expect(JSON.stringify(calls.at(-1)?.body)).toContain(PNG.toString('base64'));
});

test.describe('while the only key rests', () => {
  test.use({ setup: { keys: 1 } });

  test('without script a form waits in line too, and comes back with the answer', async ({ keypool, page }) => {
    await keypool.simulator.rest(providerKey(1), 3);
    await signIn(page);
    await page.getByLabel('Prompt').fill(PROMPT);
    await page.getByRole('button', { name: 'Analyze' }).click({ timeout: 20_000 });

    await expect(page).toHaveURL(/\/history\/[0-9a-f-]+$/, { timeout: 20_000 });
    await expect(page.getByTestId('answer')).toContainText(/simulated/i);
    await expect(page.getByTestId('attempts')).toContainText('Minute quota');
  });
});

test.describe('when it fails', () => {
  test.use({ allowedErrors: [/status of (400|415|429)/] });

  test('without script a refused form keeps what was typed and says why', async ({ keypool, page }) => {
    for (const n of [1, 2, 3]) await spendDay(keypool.simulator, providerKey(n));
    await signIn(page);
    await page.getByLabel('Prompt').fill(PROMPT);
    await page.getByRole('button', { name: 'Analyze' }).click();

    await expect(page.getByTestId('problem')).toContainText('AI service quota exceeded for today.');
    await expect(page.getByLabel('Prompt')).toHaveValue(PROMPT);
    await expect(page.getByTestId('banner')).toContainText('Major outage');
    await expect(page.getByRole('button', { name: 'Analyze' })).toBeDisabled();
  });

  test('without script a lying image is refused beside its field', async ({ page }) => {
    await signIn(page);
    await page.getByLabel('Prompt').fill(PROMPT);
    await page.locator('input[type=file]').setInputFiles({ name: 'liar.png', mimeType: 'image/png', buffer: Buffer.from('plain text') });
    await page.getByRole('button', { name: 'Analyze' }).click();

    await expect(page.locator('input[type=file]')).toHaveAccessibleDescription(/content is no image/);
    await expect(page.getByLabel('Prompt')).toHaveValue(PROMPT);
  });
});
