import type { Browser, Locator, Page } from '@playwright/test';

import { expectAccessible } from '../support/axe';
import { type Keypool, providerKey } from '../support/server';
import { expect, test } from '../support/test';
import { hydrated, signIn, spendDay } from './steps';

const GRACE = { email: 'grace@keypool.test', password: 'Nanoseconds-of-wire-11.8-inches' };

const PAGES = [
  '/overview',
  '/analytics/usage',
  '/analytics/hourly-pattern',
  '/analytics/errors',
  '/analytics/latency',
  '/analytics/forecast',
  '/requests',
];

/** A request of the signed-in browser, as a program sends it. */
async function ask(page: Page, keypool: Keypool, prompt: string): Promise<void> {
  const answer = await page.request.post('/api/ai-analysis/analyze', {
    data: { prompt, fresh: true },
    headers: { origin: keypool.url },
  });
  expect(answer.status(), prompt).toBe(200);
}

/** The page once it shows what was asked: events are stored a moment after the answer. */
async function gotoUntil(page: Page, path: string, shown: (page: Page) => Promise<void>): Promise<void> {
  await expect(async () => {
    await page.goto(path);
    await shown(page);
  }).toPass();
}

function card(page: Page, name: string): Locator {
  return page.getByTestId(`card-${name}`);
}

/** How fresh the page says it is. */
function pill(page: Page): Locator {
  return page.getByTestId('live').locator('.live-pill');
}

async function overviewShows(page: Page, requests: string): Promise<void> {
  await gotoUntil(page, '/overview', async () => {
    await expect(card(page, 'requests').locator('.metric-value')).toHaveText(requests, { timeout: 500 });
  });
}

/** A browser signed in as somebody who was invited with this role. */
async function guest(browser: Browser, page: Page, keypool: Keypool, role: string): Promise<Page> {
  await page.goto('/admin/users');
  await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: role });
  await page.getByRole('button', { name: 'Create invitation' }).click();
  const link = await page.getByRole('region', { name: 'The link' }).innerText();
  const other = await (await browser.newContext({ baseURL: keypool.url })).newPage();
  await other.goto(link);
  await other.getByLabel('E-mail').fill(GRACE.email);
  await other.getByLabel('Name').fill('Grace Hopper');
  await other.getByLabel('Password').fill(GRACE.password);
  await other.getByRole('button', { name: 'Create account' }).click();
  await expect(other).toHaveURL('/');
  return other;
}

test('before the first request the overview offers a call, and afterwards it counts', async ({ keypool, page }) => {
  await signIn(page, '/history');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Overview' }).click();
  await expect(page.getByRole('main')).toContainText('No requests yet');
  await expect(page.getByRole('region', { name: 'Call with curl' })).toContainText('/api/ai-analysis/analyze');
  await expect(card(page, 'keys')).toContainText('3 of 3');

  await ask(page, keypool, 'Name three rivers.');
  await overviewShows(page, '1');
  await expect(card(page, 'success')).toContainText('100.0 %');
  await expect(page.getByTestId('chart-by-key')).toBeVisible();
  await card(page, 'requests').getByRole('link', { name: 'Requests' }).click();
  await expect(page).toHaveURL(/\/requests(\?|$)/);
  await expect(page.getByTestId('requests').getByRole('row')).toHaveCount(2);
});

test('the overview follows new requests and leaves the reader where they are', async ({ keypool, page }) => {
  await signIn(page, '/history');
  await ask(page, keypool, 'Name three rivers.');
  await overviewShows(page, '1');
  await hydrated(page);
  const live = page.getByTestId('live');
  await expect(pill(page)).toContainText('Live ·');
  const details = page.getByTestId('chart-by-key').locator('details');
  await details.locator('summary').click();
  const link = page.getByTestId('overview-keys').getByRole('link', { name: 'Key 2' });
  await link.focus();

  await ask(page, keypool, 'Name three lakes.');
  await expect(card(page, 'requests').locator('.metric-value')).toHaveText('2');
  await expect(link).toBeFocused();
  await expect(details).toHaveAttribute('open', '');

  await live.getByRole('button', { name: 'Pause' }).click();
  await expect(pill(page)).toContainText('Paused');
  await ask(page, keypool, 'Name three seas.');
  const reads: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/overview/live')) reads.push(request.url());
  });
  await expect(pill(page)).toContainText(/updated [4-9] s ago/);
  expect(reads).toEqual([]);
  await live.getByRole('button', { name: 'Resume' }).click();
  await expect(card(page, 'requests').locator('.metric-value')).toHaveText('3');
});

test.describe('while the server cannot be reached', () => {
  test.use({ allowedErrors: [/ERR_FAILED|Failed to load resource/] });

  test('the overview says how old its figures are, and recovers', async ({ keypool, page }) => {
    await signIn(page, '/history');
    await ask(page, keypool, 'Name three rivers.');
    await overviewShows(page, '1');
    await hydrated(page);
    await expect(pill(page)).toContainText('Live ·');
    await page.route('**/overview/live*', (route) => route.abort());
    await ask(page, keypool, 'Name three lakes.');
    await expect(pill(page)).toContainText(/Stale: as of \d\d:\d\d:\d\d UTC/);
    await expect(card(page, 'requests').locator('.metric-value')).toHaveText('1');
    await page.unroute('**/overview/live*');
    await expect(pill(page)).toContainText('Live ·', { timeout: 25_000 });
    await expect(card(page, 'requests').locator('.metric-value')).toHaveText('2');
  });
});

test('a request is found by its filter and shows its way through the keys', async ({ keypool, page }) => {
  await spendDay(keypool.simulator, providerKey(1));
  await signIn(page, '/history');
  for (const prompt of ['Name three rivers.', 'Name three lakes.', 'Name three seas.']) await ask(page, keypool, prompt);
  const table = page.getByTestId('requests');
  await gotoUntil(page, '/requests', async () => expect(table.getByRole('row')).toHaveCount(4, { timeout: 500 }));

  await page.getByTestId('filter').locator('summary').click();
  await page.getByRole('search').getByLabel('Status').selectOption('Failed');
  await page.getByRole('search').getByRole('button', { name: 'Show' }).click();
  await expect(page).toHaveURL(/status=failed/);
  await expect(page.getByRole('main')).toContainText('No request matches');
  await page.getByRole('link', { name: 'Show all requests' }).click();
  await expect(table.getByRole('row')).toHaveCount(4);

  // One of them met the spent key first.
  const moved = table.getByRole('row').filter({ has: page.getByRole('cell', { name: '2', exact: true }) });
  await moved.first().getByRole('link').click();
  await expect(page).toHaveURL(/\/requests\/[0-9a-zA-Z-]+/);
  await expect(page.getByTestId('path')).toContainText(/Key 1: day quota, .+ → Key \d: answered in/);
  await expect(page.getByTestId('attempts').getByRole('row')).toHaveCount(3);
  await page.getByRole('link', { name: 'Requests' }).last().click();
  await expect(table).toBeVisible();

  await page.goto('/analytics/errors');
  const error = page.getByTestId('errors-table').getByRole('row', { name: /Quota used up/ });
  await expect(error).toContainText('Key 1');
  await expect(error).toContainText('00:00 Pacific');
});

test.describe('an address that leads nowhere', () => {
  test.use({ allowedErrors: [/status of 404/] });

  test('a request that does not exist is not found', async ({ page }) => {
    await signIn(page, '/history');
    const answer = await page.goto('/requests/00000000-0000-7000-8000-000000000000');
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole('heading', { name: 'Page not found' })).toBeVisible();
  });
});

test('new requests come in by themselves when asked for, but not under the pointer', async ({ keypool, page }) => {
  await signIn(page, '/history');
  await ask(page, keypool, 'Name three rivers.');
  const rows = page.getByTestId('requests').getByRole('row');
  await gotoUntil(page, '/requests', async () => expect(rows).toHaveCount(2, { timeout: 500 }));
  await hydrated(page);
  await page.getByRole('button', { name: 'Follow new requests' }).click();
  await expect(pill(page)).toContainText('Live ·');
  await ask(page, keypool, 'Name three lakes.');
  await expect(rows).toHaveCount(3);

  await rows.last().hover();
  await expect(pill(page)).toContainText('Waits while you read');
  await ask(page, keypool, 'Name three seas.');
  await page.mouse.move(2, 2);
  await expect(rows).toHaveCount(4);
});

test('the table by key is sorted by its heads, and the address says how', async ({ keypool, page }) => {
  await signIn(page, '/history');
  await ask(page, keypool, 'Name three rivers.');
  const table = page.getByTestId('usage-by-key');
  await gotoUntil(page, '/analytics/usage?range=1h', async () => expect(table).toBeVisible({ timeout: 500 }));
  await table.getByRole('link', { name: 'Requests' }).click();
  await expect(page).toHaveURL(/range=1h&sort=requests&dir=desc/);
  await expect(table.getByRole('columnheader', { name: 'Requests' })).toHaveAttribute('aria-sort', 'descending');
  await table.getByRole('columnheader', { name: 'Requests' }).getByRole('link').click();
  await expect(table.getByRole('columnheader', { name: 'Requests' })).toHaveAttribute('aria-sort', 'ascending');
  await page.getByRole('link', { name: '7 d' }).click();
  await expect(page).toHaveURL(/sort=requests/);
});

test('what is shown can be taken along as CSV and JSON', async ({ keypool, page }) => {
  await signIn(page, '/history');
  await ask(page, keypool, 'Name three rivers.');
  await overviewShows(page, '1');
  for (const [name, type] of [['CSV', 'text/csv'], ['JSON', 'application/json']] as const) {
    const href = await page.getByRole('link', { name, exact: true }).getAttribute('href');
    const answer = await page.request.get(href ?? '');
    expect(answer.status(), name).toBe(200);
    expect(answer.headers()['content-type'], name).toContain(type);
    expect(await answer.text(), name).toContain('generateContentText');
  }
});

test.describe('in another zone', () => {
  test.use({ timezoneId: 'Europe/Berlin' });

  test('the browser\'s own is offered, and stays from page to page', async ({ page }) => {
    await signIn(page, '/analytics/latency');
    await hydrated(page);
    await page.locator('summary', { hasText: 'Zone: UTC' }).click();
    await page.getByRole('link', { name: /Europe\/Berlin/ }).click();
    await expect(page).toHaveURL(/tz=Europe%2FBerlin/);
    await expect(page.getByRole('contentinfo')).toContainText('Times in Europe/Berlin');
    await page.getByRole('navigation', { name: 'Pages of the analytics' }).getByRole('link', { name: 'Errors' }).click();
    await expect(page.getByRole('contentinfo')).toContainText('Times in Europe/Berlin');
  });
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });

  test('range, zone, filter and day are forms and links', async ({ keypool, page }) => {
    await signIn(page, '/history');
    await ask(page, keypool, 'Name three rivers.');
    await overviewShows(page, '1');
    await expect(pill(page)).toBeHidden();
    await page.getByRole('link', { name: '1 h' }).click();
    await expect(page).toHaveURL('/overview?range=1h');
    await page.locator('summary', { hasText: 'Zone' }).click();
    await page.getByLabel('Another zone').fill('Europe/Berlin');
    await page.locator('form:has(#zone)').getByRole('button', { name: 'Show' }).click();
    await expect(page).toHaveURL(/range=1h&tz=Europe%2FBerlin/);
    await page.getByRole('combobox', { name: 'Key' }).selectOption({ label: 'Key 1' });
    await page.locator('form:has(#tool-keyNumber)').getByRole('button', { name: 'Show' }).click();
    await expect(page).toHaveURL(/keyNumber=1/);

    await page.goto('/analytics/hourly-pattern');
    await page.getByLabel('Day', { exact: true }).fill('2026-10-25');
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await page.getByRole('main').getByRole('button', { name: 'Show' }).click();
    await expect(page.getByTestId('odd-day')).toContainText('25 hours');
    await page.getByRole('link', { name: 'Day before' }).click();
    await expect(page).toHaveURL(/date=2026-10-24/);
  });

  test('on a phone everything is reached from the bar at the bottom', async ({ page }) => {
    await page.setViewportSize({ width: 375, height: 700 });
    await signIn(page, '/history');
    const nav = page.getByRole('navigation', { name: 'Main' });
    await expect(nav.getByRole('link', { name: 'Overview' })).toBeHidden();
    await nav.getByRole('button', { name: 'More' }).click();
    await nav.getByRole('link', { name: 'Overview' }).click();
    await expect(page).toHaveURL('/overview');
  });
});

test.describe('by role', () => {
  test.use({ allowedErrors: [/status of 403/] });

  test('a viewer sees usage and no administration, a user neither', async ({ browser, keypool, page }) => {
    test.slow();
    await signIn(page, '/history');
    const other = await guest(browser, page, keypool, 'Viewer');
    const nav = other.getByRole('navigation', { name: 'Main' });
    await expect(nav.getByRole('link', { name: 'Users' })).toHaveCount(0);
    for (const path of PAGES) {
      await other.goto(path);
      await expect(other.getByTestId('error-page'), path).toHaveCount(0);
    }
    await page.goto('/admin/users');
    await page.getByRole('link', { name: 'Grace Hopper' }).click();
    await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'User' });
    await page.getByRole('button', { name: 'Save role' }).click();
    await other.goto('/sign-in');
    await other.getByLabel('E-mail').fill(GRACE.email);
    await other.getByLabel('Password').fill(GRACE.password);
    await other.getByRole('main').getByRole('button', { name: 'Sign in', exact: true }).click();
    await expect(nav.getByRole('link', { name: 'Overview' })).toHaveCount(0);
    await other.goto('/overview');
    await expect(other.getByTestId('error-page')).toBeVisible();
    await other.context().close();
  });
});

for (const theme of ['light', 'dark'] as const) {
  test(`the pages about usage are accessible and fit their window (${theme})`, async ({ context, keypool, page }) => {
    test.slow();
    await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    await signIn(page, '/overview');
    await expectGood(page, theme);
    await spendDay(keypool.simulator, providerKey(1));
    for (const prompt of ['Name three rivers.', 'Name three lakes.', 'Name three seas.']) await ask(page, keypool, prompt);
    await overviewShows(page, '3');
    for (const path of PAGES) {
      await page.goto(path);
      await expectGood(page, theme);
    }
    await page.getByTestId('requests').getByRole('row').nth(1).getByRole('link').click();
    await expectGood(page, theme);
    for (const path of ['/overview?tz=Mars/Olympus', '/analytics/usage?startDate=never', '/requests?user=nobody']) {
      await page.goto(path);
      await expectGood(page, theme);
    }
    await page.setViewportSize({ width: 375, height: 900 });
    await page.getByRole('button', { name: 'More' }).click();
    await expectAccessible(page);
  });
}

/** Accessible in every width, without scrolling sideways. */
async function expectGood(page: Page, theme: string): Promise<void> {
  await hydrated(page);
  await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
  for (const width of [375, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide, `${page.url()} does not scroll sideways at ${width} px`).toBeLessThanOrEqual(width);
    await expectAccessible(page);
  }
}
