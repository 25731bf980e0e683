import { expect, test } from '../support/test';
import { Composer, hydrated, png } from './steps';

const PROMPT = 'Name the planets from the sun outwards.';

test('an answer that was given before says so, and can be asked for anew', async ({ keypool, page }) => {
  const composer = await Composer.open(page);
  await composer.ask(PROMPT);
  await expect(composer.line).toContainText('Done');
  const calls = async () => (await keypool.simulator.calls()).calls.length;
  const before = await calls();

  await composer.ask(PROMPT);
  await expect(composer.line).toHaveText(/^From cache, (under 0\.1 s|\d+ ms|\d+\.\d s), \d+ words$/);
  await expect(composer.answer).toContainText('this is the answer it got');
  expect(await calls(), 'no call was made').toBe(before);
  const stored = await composer.answer.getByRole('link', { name: 'Open in history' }).getAttribute('href');

  await composer.answer.getByRole('button', { name: 'Run fresh' }).click();
  await expect(composer.line).toHaveText(/^Done in .+, key \d$/);
  expect(await calls()).toBe(before + 1);
  await expect(composer.answer).not.toContainText('this is the answer it got');

  await page.goto(stored ?? '');
  await expect(page.getByRole('main')).toContainText('From cache');
  await expect(page.getByTestId('attempts')).toContainText('No call was made');
});

test('an analysis with an image asks for the image when it is run again', async ({ page }) => {
  const composer = await Composer.open(page);
  await composer.tab('Image');
  await composer.fileInput.setInputFiles([png('chart.png')]);
  await composer.ask('What is this?');
  await expect(composer.line).toContainText('Done');
  await composer.answer.getByRole('link', { name: 'Open in history' }).click();
  await page.getByRole('link', { name: 'Run again' }).click();
  await hydrated(page);

  await expect(composer.prompt).toHaveValue('What is this?');
  await expect(composer.form).toContainText('This analysis had an image. Images are not kept: choose it again.');
  await composer.analyze.click();
  await expect(composer.form).toContainText('Choose an image first, or use the Text tab.');

  await composer.fileInput.setInputFiles([png('chart.png')]);
  await composer.analyze.click();
  await expect(composer.line).toHaveText(/^(Done|From cache)/);
});
