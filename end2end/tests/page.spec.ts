import { expect, test } from '../support/test';
import { Composer, hydrated, signIn } from './steps';

test('nothing moves while a page loads', async ({ page }) => {
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifts.push((entry as unknown as { value: number }).value);
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await signIn(page);
  for (const path of ['/', '/history', '/status']) {
    await page.goto(path);
    await hydrated(page);
    const moved = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts.reduce((sum, value) => sum + value, 0));
    expect(moved, `layout shift of ${path}`).toBeLessThan(0.01);
  }
});

test('all islands of a tab share one stream, and a hidden tab has none', async ({ page }) => {
  const streams: string[] = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/service-status/stream')) streams.push(request.url());
  });
  await signIn(page, '/status');
  await hydrated(page);
  await expect(page.getByTestId('status')).toContainText('Live');
  expect(streams).toHaveLength(1);

  const closed = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/service-status/stream'));
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  await closed;

  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  await expect.poll(() => streams.length, { message: 'the stream is opened again' }).toBe(2);
});

test('the theme is chosen without script and holds on every page', async ({ page }) => {
  await signIn(page);
  await page.getByRole('group', { name: 'Theme' }).getByRole('button', { name: 'Dark' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.goto('/status');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('the page is used by keyboard alone', async ({ page }) => {
  const composer = await Composer.open(page);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect(composer.form.getByRole('tab', { name: 'Text' })).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(composer.prompt).toBeFocused();
  await page.keyboard.type('Name three rivers.');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await expect(composer.analyze).toBeFocused();
  await page.keyboard.press('Enter');

  await expect(composer.line).toContainText('Done');
  await expect(composer.analyze, 'the focus stayed on the button').toBeFocused();
});
