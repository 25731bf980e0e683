import { expect, test } from '../support/test';
import { Composer, PNG, png, transfer } from './steps';

const QUESTION = 'What can be seen here?';

for (const way of ['choose', 'drop', 'paste'] as const) {
  test(`an image is analysed: ${way}`, async ({ keypool, page }) => {
    const composer = await Composer.open(page);
    if (way === 'choose') {
      await composer.tab('Image');
      await composer.fileInput.setInputFiles(png('chart.png'));
    } else {
      await transfer(composer.prompt, way, [png('chart.png')]);
    }

    await expect(composer.images).toHaveText(/chart\.png/);
    await expect(composer.images.locator('img')).toHaveJSProperty('naturalWidth', 1);
    await expect(composer.form.getByRole('tab', { name: /Image/ })).toHaveAttribute('aria-selected', 'true');
    await composer.ask(QUESTION);

    await expect(composer.line).toContainText('Done');
    const { calls } = await keypool.simulator.calls();
    expect(JSON.stringify(calls.at(-1)?.body)).toContain(PNG.toString('base64'));
  });
}

test('the tabs work by keyboard', async ({ page }) => {
  const composer = await Composer.open(page);
  await expect(composer.form.getByTestId('drop-zone')).toBeHidden();
  await composer.form.getByRole('tab', { name: 'Text' }).focus();

  await page.keyboard.press('ArrowRight');

  await expect(composer.form.getByRole('tab', { name: 'Image' })).toBeFocused();
  await expect(composer.form.getByTestId('drop-zone')).toBeVisible();
  await page.keyboard.press('Home');
  await expect(composer.form.getByTestId('drop-zone')).toBeHidden();
});

test('a chosen image can be removed, and the focus stays in the form', async ({ page }) => {
  const composer = await Composer.open(page);
  await composer.tab('Image');
  await composer.fileInput.setInputFiles([png('one.png'), png('two.png')]);
  await expect(composer.images).toHaveCount(2);

  await composer.form.getByRole('button', { name: 'Remove one.png' }).click();

  await expect(composer.images).toHaveText(/two\.png/);
  await expect(composer.fileInput).toBeFocused();
});

test('what is no image, lies about it, is empty or too large is refused before it is sent', async ({ keypool, page }) => {
  const composer = await Composer.open(page);
  await composer.tab('Image');
  const refused = async (file: { name: string; mimeType: string; buffer: Buffer }, reason: RegExp) => {
    await composer.fileInput.setInputFiles(file);
    await expect(composer.fileInput).toHaveAccessibleDescription(reason);
  };

  await refused({ name: 'notes.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7') }, /notes\.pdf is not an image/);
  await refused({ name: 'liar.png', mimeType: 'image/png', buffer: Buffer.from('<svg onload=alert(1)>') }, /liar\.png is not an image/);
  await refused({ name: 'empty.png', mimeType: 'image/png', buffer: Buffer.alloc(0) }, /empty\.png is empty/);
  const large = Buffer.concat([PNG, Buffer.alloc(21 * 1024 * 1024)]);
  await refused({ name: 'poster.png', mimeType: 'image/png', buffer: large }, /poster\.png .* at most 20 MB/);
  await expect(composer.images).toHaveCount(0);

  await composer.ask(QUESTION);
  await expect(composer.fileInput).toHaveAccessibleDescription(/Choose an image first/);
  expect((await keypool.simulator.calls()).calls).toEqual([]);
});
