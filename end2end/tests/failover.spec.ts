import { expect, test } from '../support/test';
import { ANY } from '../support/control';
import { type Keypool, providerKey } from '../support/server';
import { Composer, hydrated, signIn, spendDay } from './steps';

// The browser's own lines for an answer with an error's status, and for a request that a test cuts off.
test.use({ allowedErrors: [/status of 429|ERR_FAILED/] });

// Key 1 is asked first, as long as it serves.
const env = { KEYPOOL_STRATEGY: 'sticky' };
test.use({ setup: { env } });

const PROMPT = 'Compare two ways to cross a river.';

/** Lets others use up today's quota of some keys. */
async function spend(keypool: Keypool, ...numbers: number[]): Promise<void> {
  for (const n of numbers) await spendDay(keypool.simulator, providerKey(n));
}

test('when a key has reached its quota another one answers, and the page says so', async ({ keypool, page }) => {
  await spend(keypool, 1);
  const composer = await Composer.open(page);
  await expect(page.getByTestId('banner')).toBeEmpty();

  await composer.ask(PROMPT);

  await expect(composer.line).toHaveText(/^Done in .+, key [23]$/);
  await expect(composer.answer).toContainText('PARTIAL QUOTA EXCEEDED: 1 of 3');
  await expect(page.getByTestId('banner'), 'live, without a reload').toContainText('Degraded: 1 of 3 keys has reached its quota.');
  await expect(page.getByTestId('banner')).toContainText(/Next reset in (\d+ h )?\d+ min \(00:00 Pacific\)/);
  await expect(page.getByTestId('banner').getByRole('link', { name: 'See status' })).toHaveAttribute('href', '/status');
  await expect(composer.analyze).toBeEnabled();

  await composer.answer.getByRole('link', { name: 'Open in history' }).click();
  await expect(page.getByRole('main')).toContainText('Day quota');
});

test.describe('at the speed of a model', () => {
  test.use({ setup: { pace: 'human', env } });

  test('the switch is said while the answer is written', async ({ keypool, page }) => {
    await spend(keypool, 1);
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);

    await expect(composer.line).toContainText('Switched key after a day quota, 2 of 3');
    await expect(composer.line).toHaveText(/^Done in /, { timeout: 20_000 });
  });
});

test.describe('with another model to fall back on', () => {
  test.use({ setup: { env: { ...env, GEMINI_FALLBACK_MODELS: 'gemini-2.5-flash-lite' } } });

  test('the page says which model answered, and why', async ({ keypool, page }) => {
    for (const n of [1, 2, 3]) {
      await keypool.simulator.always(providerKey(n), 'gemini-2.5-flash', { reply: { fixture: 'model-not-found' } });
    }
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);

    await expect(composer.line).toContainText('Done');
    await expect(composer.answer).toContainText('Answered by gemini-2.5-flash-lite because gemini-2.5-flash could not.');

    await composer.answer.getByRole('link', { name: 'Open in history' }).click();
    await expect(page.getByRole('main')).toContainText('gemini-2.5-flash-lite');
  });
});

test('a withdrawn key is not called a spent one', async ({ keypool, page }) => {
  await keypool.simulator.always(providerKey(1), ANY, { reply: { fixture: 'key-leaked' } });
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);

  await expect(composer.line).toHaveText(/^Done in .+, key [23]$/);
  await expect(page.getByTestId('banner')).toContainText(
    'Degraded: 1 of 3 keys was withdrawn by the provider. Requests still work.',
  );
});

test('an answer that breaks off keeps its text and says how to go on', async ({ keypool, page }) => {
  for (const n of [1, 2, 3]) {
    await keypool.simulator.script(providerKey(n), ANY, [{ cut: { reset: { after_bytes: 900 } } }]);
  }
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);

  await expect(composer.line).toHaveText(/^Interrupted: the [\d,]+ words that came are kept$/);
  await expect(composer.problem).toContainText('Interrupted');
  await expect(composer.problem).toContainText('Request id');
  await expect(composer.answer).toContainText(/simulated/i);

  await keypool.simulator.clear();
  await composer.answer.getByRole('button', { name: 'Retry' }).click();
  await expect(composer.line).toContainText('Done');
  await expect(composer.problem).toHaveCount(0);
});

test('when all keys are spent the page says so, until when, and takes no more', async ({ keypool, page }) => {
  await spend(keypool, 1, 2, 3);
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);

  await expect(composer.problem).toContainText(
    'AI service quota exceeded for today. Please try again tomorrow or contact support for higher limits.',
  );
  await expect(composer.problem).toContainText('QUOTA_EXCEEDED');
  await expect(composer.problem).toContainText(/The quota comes back on \d+ \w{3} \d{4} at \d\d:\d\d UTC/);
  await expect(composer.problem).toContainText(/Possible in \d+ h \d+ min/);
  await expect(composer.problem.getByRole('button', { name: 'Try again' })).toBeDisabled();
  await expect(page.getByTestId('banner')).toContainText('Major outage: All 3 keys have reached their quota.');
  await expect(composer.analyze).toBeDisabled();
  await expect(composer.analyze).toHaveAccessibleDescription(/Analyses are not possible right now\. Next reset in/);
  await expect(composer.prompt, 'the text is kept').toHaveValue(PROMPT);

  for (const n of [1, 2, 3]) await keypool.simulator.limit(providerKey(n), ANY, {});
  const reset = await page.request.post('/api/admin/keys/reset-quota', { headers: { origin: keypool.url } });
  expect(reset.ok(), await reset.text()).toBe(true);
  await expect(composer.analyze, 'live, without a reload').toBeEnabled();
  await expect(page.getByTestId('banner')).toBeEmpty();
});

test('the status page follows the keys without a reload', async ({ context, keypool, page }) => {
  await spend(keypool, 1);
  await signIn(page, '/status');
  await hydrated(page);
  const keys = page.getByTestId('keys');
  await expect(page.getByTestId('status')).toContainText('3 of 3 keys available');
  await expect(keys.getByRole('row', { name: /Key 1/ })).toContainText('Available');

  const other = await context.newPage();
  await other.goto('/');
  await hydrated(other);
  const composer = new Composer(other);
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');
  await page.bringToFront();

  await expect(keys.getByRole('row', { name: /Key 1/ })).toContainText('Quota reached');
  await expect(keys.getByRole('row', { name: /Key 1/ })).toContainText(/in (\d+ h )?\d+ min/);
  const cell = page.getByTestId('cells').getByRole('row', { name: /Key 1 gemini-2.5-flash/ });
  await expect(cell).toContainText('Quota reached');
  await expect(cell, 'the limit that the refusal told').toContainText(/\d of 1\b/);
  await expect(page.getByTestId('status')).toContainText('2 of 3 keys available');
  await expect(page.getByRole('heading', { name: 'Degraded' })).toBeVisible();
});

test('without the stream the page asks every now and then', async ({ keypool, page }) => {
  await page.clock.install();
  await page.route('**/service-status/stream', (route) => route.abort());
  await signIn(page, '/status');
  await hydrated(page);
  await spend(keypool, 1);
  const answer = await page.request.post('/api/ai-analysis/analyze', { data: { prompt: PROMPT }, headers: { origin: keypool.url } });
  expect(answer.ok(), await answer.text()).toBe(true);

  await page.clock.fastForward('00:20');

  await expect(page.getByTestId('keys').getByRole('row', { name: /Key 1/ })).toContainText('Quota reached');
  await expect(page.getByTestId('status')).toContainText('Checked');
});

test('people who are not signed in see the level, but no key', async ({ keypool, page }) => {
  await page.goto('/status');
  await hydrated(page);
  await expect(page.getByRole('heading', { name: 'Operational' })).toBeVisible();
  await expect(page.getByTestId('keys')).toHaveCount(0);
  expect(await page.content()).not.toContain('keyNumber');
  expect(await page.content()).not.toContain(providerKey(1).slice(-4));
  expect((await keypool.simulator.calls()).calls).toEqual([]);
});

test('a state that can no longer be read is called unknown', async ({ page }) => {
  await page.clock.install();
  await page.goto('/status');
  await hydrated(page);
  await page.route('**/api/status.json', (route) => route.abort());

  await page.clock.fastForward('02:05');

  await expect(page.getByTestId('status')).toContainText(/Unknown: last checked \d\d:\d\d UTC/);
});
