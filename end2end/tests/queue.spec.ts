import { expect, test } from '../support/test';
import { providerKey } from '../support/server';
import { Composer } from './steps';

const PROMPT = 'Explain why the sky is blue.';

/** Seconds that the line names. */
async function secondsLeft(composer: Composer): Promise<number> {
  const seconds = /about (\d+) s/.exec(await composer.line.innerText())?.[1];
  return seconds === undefined ? 0 : Number(seconds);
}

test.describe('with one key that rests for a moment', () => {
  test.use({ setup: { keys: 1 } });

  test('a request waits in line, counts down, and is answered when the key is back', async ({ keypool, page }) => {
    await keypool.simulator.rest(providerKey(1), 7);
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);

    await expect(composer.line).toHaveText(/^Waiting for a key: next in line, about \d+ s$/);
    await expect(composer.answer).toContainText('Every key is busy or resting.');
    const first = await secondsLeft(composer);
    await expect.poll(() => secondsLeft(composer), { message: 'it counts down' }).toBeLessThan(first);
    await expect(composer.announced, 'read out with its place, not with every second').toHaveText(
      /^Waiting for a key: next in line, about \d+ s$/,
    );
    await expect(composer.stop).toBeEnabled();
    await expect(page.getByTestId('banner')).toContainText('Requests wait in line for a moment.');

    await expect(composer.line).toHaveText(/^Done in .+, key 1$/, { timeout: 15_000 });
    await expect(composer.announced).toHaveText(/^Done in /);
  });

  test('Stop leaves the line, and those behind move up', async ({ keypool, page }) => {
    await keypool.simulator.rest(providerKey(1), 9);
    const behind = await Composer.open(page);
    const ahead = await behind.beside();
    await ahead.ask('Who is first in line?');
    await expect(ahead.line).toContainText('next in line');
    await behind.ask(PROMPT);
    await expect(behind.line).toContainText('2nd in line');

    await ahead.stop.click();
    await expect(ahead.line).toHaveText('Stopped while waiting for a key');
    await expect(ahead.prompt, 'the text is kept').toHaveValue('Who is first in line?');
    await expect(ahead.analyze).toBeEnabled();

    await behind.page.bringToFront();
    await expect(behind.line).toContainText('next in line');
    await expect(behind.line).toHaveText(/^Done in /, { timeout: 15_000 });
    const { calls } = await keypool.simulator.calls();
    const asked = calls.filter((call) => JSON.stringify(call.body).includes('Who is first in line?'));
    expect(asked, 'the one call that found the key resting').toHaveLength(1);
  });

  test('nothing below moves while a request waits', async ({ keypool, page }) => {
    await page.setViewportSize({ width: 375, height: 900 });
    await keypool.simulator.rest(providerKey(1), 5);
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);
    await expect(composer.line).toContainText('next in line');
    const place = () => composer.answer.locator('.answer-body').boundingBox();
    const before = await place();
    const seconds = await secondsLeft(composer);
    await expect.poll(() => secondsLeft(composer)).toBeLessThan(seconds);
    expect(await place()).toEqual(before);
  });
});

test.describe('without a line', () => {
  test.use({ setup: { keys: 1, env: { QUEUE_MAX: '0' } }, allowedErrors: [/status of (429|503)/] });

  test('a refusal counts down, then it can be tried again with the same text', async ({ keypool, page }) => {
    await keypool.simulator.rest(providerKey(1), 5);
    const composer = await Composer.open(page);
    await composer.ask(PROMPT);

    const again = composer.problem.getByRole('button', { name: 'Try again' });
    await expect(again).toBeDisabled();
    await expect(again).toHaveAccessibleDescription(/^Possible in \d+ s\.$/);
    await expect(composer.problem).toContainText('try again when a key is free');
    await expect(composer.answer.getByRole('button', { name: 'Retry' }), 'one button, not two').toHaveCount(0);
    await expect(composer.prompt).toHaveValue(PROMPT);

    await expect(again).toBeEnabled({ timeout: 15_000 });
    await expect(composer.problem).toContainText('You can try again now.');
    await again.press('Enter');
    await expect(composer.line).toHaveText(/^Done in /);
    await expect(composer.problem).toHaveCount(0);
    await expect(page.locator('.composer-submit'), 'the focus is not lost with the button').toBeFocused();
  });
});
