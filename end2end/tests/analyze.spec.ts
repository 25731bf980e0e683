import { readFile } from 'node:fs/promises';

import { expect, test } from '../support/test';
import { ANY } from '../support/control';
import { providerKey } from '../support/server';
import { Composer, hydrated } from './steps';

// The browser's own lines: an ended session, no network.
test.use({ allowedErrors: [/status of 401|ERR_INTERNET_DISCONNECTED/] });

const PROMPT = 'Summarise why bridges sway. Bridges sway because wind and people push them.';

test('a text is analysed, rendered and kept', async ({ page }) => {
  const composer = await Composer.open(page);

  await composer.prompt.fill(PROMPT);
  await expect(composer.form).toContainText('75 of 100,000 characters');
  await composer.prompt.press('Control+Enter');

  await expect(composer.line).toHaveText(/^Done in .+, \d+ words, key \d$/);
  await expect(composer.answer.getByRole('heading').nth(1), 'Markdown became HTML').toBeVisible();
  await expect(composer.analyze, 'Stop is Analyze again').toBeEnabled();
  const recent = page.getByRole('complementary', { name: 'Recent analyses' });
  await expect(recent.getByRole('link', { name: PROMPT.slice(0, 30) }), 'the list beside it has it at once').toBeVisible();

  await composer.answer.getByRole('link', { name: 'Open in history' }).click();
  await expect(page.getByRole('main')).toContainText(PROMPT);
  await expect(page.getByTestId('answer')).toContainText(/simulated/i);
});

test('a finished answer can be copied and downloaded as Markdown', async ({ context, page }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');

  await composer.answer.getByRole('button', { name: 'Copy' }).click();
  await expect(composer.answer.getByText('Copied')).toBeAttached();
  const copied = await page.evaluate(() => navigator.clipboard.readText());

  const [download] = await Promise.all([page.waitForEvent('download'), composer.answer.getByRole('button', { name: 'Download .md' }).click()]);
  expect(download.suggestedFilename()).toMatch(/^analysis-[0-9a-f-]+\.md$/);
  expect(await readFile(await download.path(), 'utf8')).toBe(copied);
  expect(copied).toMatch(/simulated/i);
});

test('a finished answer can be downloaded as JSON, with all that is known of it', async ({ page }) => {
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');

  const [download] = await Promise.all([page.waitForEvent('download'), composer.answer.getByRole('button', { name: 'Download .json' }).click()]);
  expect(download.suggestedFilename()).toMatch(/^analysis-[0-9a-f-]+\.json$/);
  const result = JSON.parse(await readFile(await download.path(), 'utf8'));
  expect(download.suggestedFilename()).toBe(`analysis-${result.id}.json`);
  expect(result).toMatchObject({ text: expect.stringMatching(/simulated/i), attempts: [{ outcome: 'success' }] });
});

test('a prompt can be edited after its answer, the cursor behind it', async ({ page }) => {
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');
  await composer.prompt.evaluate((field: HTMLTextAreaElement) => field.setSelectionRange(0, 0));

  await composer.answer.getByRole('button', { name: 'Edit' }).click();
  await expect(composer.prompt).toBeFocused();
  await page.keyboard.type(' In one sentence.');
  await expect(composer.prompt).toHaveValue(`${PROMPT} In one sentence.`);
});

test('an example fills the prompt, and a draft survives a reload', async ({ page }) => {
  const composer = await Composer.open(page);
  await composer.answer.getByRole('link', { name: 'Weigh its arguments' }).click();
  await expect(composer.prompt).toBeFocused();
  await composer.prompt.pressSequentially('Of course it is.');
  const draft = await composer.prompt.inputValue();
  await composer.form.getByText('Model and options').click();
  await composer.form.getByLabel('Temperature').fill('0.3');

  await page.goto('/status');
  await page.goto('/');
  await hydrated(page);

  await expect(composer.prompt).toHaveValue(draft);
  await expect(composer.form.getByLabel('Temperature')).toHaveValue('0.3');
});

test('options reach the provider', async ({ keypool, page }) => {
  const composer = await Composer.open(page);
  await composer.form.getByText('Model and options').click();
  await composer.form.getByLabel('Temperature').fill('0.3');
  await composer.form.getByLabel('Longest answer').fill('900');
  await composer.form.getByLabel('System text').fill('Answer like a pilot.');
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');

  const { calls } = await keypool.simulator.calls();
  expect(calls.at(-1)?.body).toMatchObject({
    generationConfig: { temperature: 0.3, maxOutputTokens: 900 },
    systemInstruction: { parts: [{ text: 'Answer like a pilot.' }] },
  });
});

test('what cannot be analysed is said beside its field, before anything is sent', async ({ keypool, page }) => {
  const composer = await Composer.open(page);

  await composer.analyze.click();
  await expect(composer.prompt).toBeFocused();
  await expect(composer.prompt).toHaveAccessibleDescription(/The prompt is empty/);
  await expect(composer.prompt).toHaveAttribute('aria-invalid', 'true');

  await composer.prompt.fill('x'.repeat(100_001));
  await composer.analyze.click();
  await expect(composer.form).toContainText('The prompt has 100001 characters; at most 100000 are taken.');

  await composer.prompt.fill(PROMPT);
  await composer.form.getByText('Model and options').click();
  await composer.form.getByLabel('Temperature').fill('3');
  await composer.analyze.click();
  await expect(composer.form.getByLabel('Temperature')).toBeFocused();
  await expect(composer.form.getByLabel('Temperature')).toHaveAccessibleDescription(/number from 0 to 2/);

  expect((await keypool.simulator.calls()).calls).toEqual([]);
});

test.describe('at the speed of a model', () => {
  test.use({ setup: { pace: 'human' } });

  test('text appears while it is written, and Stop ends the call to the provider', async ({ keypool, page }) => {
    for (const n of [1, 2, 3]) {
      await keypool.simulator.always(providerKey(n), ANY, { cut: { stall: { after_bytes: 900 } } });
    }
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);

    await expect(composer.line).toContainText('Writing');
    await expect(composer.answer.getByText('simulated', { exact: false }).first()).toBeVisible();
    await composer.stop.click();

    await expect(composer.line).toHaveText(/^Stopped: the [\d,]+ words? that came are kept$/);
    await expect(composer.answer.locator('.answer-html'), 'rendered like the others').toContainText(/simulated/i);
    await expect(composer.answer.locator('.answer-stream')).toBeHidden();
    await keypool.simulator.waitForCalls('the call was closed by us', (calls) => calls.at(-1)?.ended === 'ClosedByCaller');
    await expect(composer.analyze).toBeEnabled();
    await expect(composer.prompt).toHaveValue(PROMPT);
  });

  test('a stopped analysis can be asked again', async ({ keypool, page }) => {
    // However slow the test is, the answer does not end before it is stopped.
    for (const n of [1, 2, 3]) {
      await keypool.simulator.always(providerKey(n), ANY, { cut: { stall: { after_bytes: 900 } } });
    }
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);
    await expect(composer.line).toContainText('Writing');
    await composer.stop.click();
    await expect(composer.line).toContainText('Stopped');

    await keypool.simulator.clear();
    await composer.answer.getByRole('button', { name: 'Retry' }).click();

    await expect(composer.line).toHaveText(/^Done in /, { timeout: 20_000 });
  });

  test('a reader is not moved; Jump to latest takes along who asks for it', async ({ page }) => {
    await page.setViewportSize({ width: 375, height: 480 });
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);
    await expect(composer.line).toContainText('Writing');
    const before = await page.evaluate(() => scrollY);
    const length = () => composer.answer.textContent().then((text) => text?.length ?? 0);
    const soFar = await length();
    await expect.poll(length, { message: 'more text came' }).toBeGreaterThan(soFar);
    expect(await page.evaluate(() => scrollY)).toBe(before);

    await page.getByRole('button', { name: 'Jump to latest' }).click();

    await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(before);
  });
});

test('a session that ended is said, and the text is there after signing in again', async ({ context, page }) => {
  const composer = await Composer.open(page);
  await context.clearCookies();
  await composer.ask(PROMPT);

  await expect(composer.problem).toContainText('Your session has ended');
  await composer.problem.getByRole('link', { name: 'Sign in' }).click();
  await page.getByLabel('E-mail').fill('admin@keypool.test');
  await page.getByLabel('Password').fill('Grey-herons-wade-at-dawn-41');
  await page.getByRole('main').getByRole('button', { name: 'Sign in', exact: true }).click();

  await expect(composer.prompt).toHaveValue(PROMPT);
});

test('without a network the text is kept, and works once the network is back', async ({ context, page }) => {
  const composer = await Composer.open(page);
  await context.setOffline(true);
  await composer.ask(PROMPT);
  await expect(composer.problem).toContainText('could not be reached');
  await expect(page.getByTestId('banner')).toContainText('You are offline');
  await expect(composer.prompt).toHaveValue(PROMPT);

  await context.setOffline(false);
  await composer.problem.page().getByRole('button', { name: 'Retry' }).click();
  await expect(composer.line).toContainText('Done');
  await expect(composer.problem).toHaveCount(0);
});

test('a deletion can be taken back for ten seconds', async ({ page }) => {
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');

  // The ten seconds pass when the test says so.
  await page.clock.install();
  await page.goto('/history');
  await hydrated(page);
  const row = page.getByTestId('history').getByRole('row').filter({ hasText: 'Summarise why bridges sway' });
  await row.getByRole('button', { name: /^Delete/ }).click();
  await row.getByRole('button', { name: 'Undo' }).click();
  await page.clock.fastForward('00:11');
  await expect(row).toBeVisible();

  await row.getByRole('button', { name: /^Delete/ }).click();
  await expect(row.getByRole('button', { name: 'Undo' })).toBeVisible();
  await page.clock.fastForward('00:11');
  await expect(row).toHaveCount(0);

  await page.reload();
  await expect(page.getByRole('main')).toContainText('Nothing analysed yet');
});

test('the answer cannot bring its own HTML', async ({ keypool, page }) => {
  const text = 'Before <img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script> **after**';
  const body = JSON.stringify({ candidates: [{ content: { parts: [{ text }], role: 'model' }, finishReason: 'STOP' }] });
  const respond = { status: 200, headers: [['content-type', 'text/event-stream'] as [string, string]], body: `data: ${body}\n\n` };
  for (const n of [1, 2, 3]) await keypool.simulator.always(providerKey(n), ANY, { reply: { respond } });
  const composer = await Composer.open(page);
  await composer.ask('Say something nasty.');

  await expect(composer.line).toContainText('Done');
  await expect(composer.answer.locator('strong')).toHaveText('after');
  await expect(composer.answer.locator('img, script')).toHaveCount(0);
  await expect(page).not.toHaveTitle('owned');
});
