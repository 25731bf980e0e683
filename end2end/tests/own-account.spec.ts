import { expect, test } from '../support/test';
import { ADMIN } from '../support/server';
import { totp } from '../support/totp';
import { anotherBrowser, createToken, enrol, fillSignIn, hydrated, signIn } from './steps';

// The browser's own line for a refused form.
test.use({ allowedErrors: [/status of 40[0139]/] });

const NEW_PASSWORD = 'Quiet-otters-drift-past-noon-77';

test('the account is found in the header, and a new name shows there', async ({ page }) => {
  await signIn(page, '/history');
  await page.getByRole('button', { name: /Account/ }).click();
  await page.getByRole('link', { name: 'Your account' }).click();
  await expect(page).toHaveURL('/account');

  await page.getByLabel('Name').fill('Ada <b>Lovelace</b>');
  await page.getByRole('button', { name: 'Save name' }).click();
  await expect(page.getByTestId('done')).toHaveText('Your name was changed.');
  await expect(page.getByRole('banner')).toContainText('Ada <b>Lovelace</b>');

  await page.getByLabel('Name').fill('  ');
  await page.getByRole('button', { name: 'Save name' }).click();
  await expect(page.getByRole('alert')).toContainText('The name was not changed');
  await expect(page.getByLabel('Name'), 'its error stands beside the field').toHaveAttribute('aria-invalid', 'true');
});

test('a new password ends the session of another browser and keeps this one', async ({ browser, keypool, page }) => {
  await signIn(page, '/account');
  const other = await anotherBrowser(browser, keypool);
  await page.getByLabel('Current password').fill('not the password at all');
  await page.getByLabel('New password').fill(NEW_PASSWORD);
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByRole('alert')).toContainText('The password was not changed');
  await other.goto('/history');
  await expect(other, 'a refused change ends nothing').toHaveURL('/history');

  await page.getByLabel('Current password').fill(ADMIN.password);
  await page.getByLabel('New password').fill(NEW_PASSWORD);
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByTestId('done')).toContainText('Your password was changed');

  await other.goto('/account');
  await expect(other).toHaveURL(/\/sign-in\?/);
  await fillSignIn(other, ADMIN.email, ADMIN.password);
  await expect(other.getByRole('alert'), 'the old password is over').toBeVisible();
  await fillSignIn(other, ADMIN.email, NEW_PASSWORD);
  await expect(other).toHaveURL('/account');
  await other.context().close();
});

test('sessions are listed and ended one by one', async ({ browser, keypool, page }) => {
  await signIn(page, '/account');
  const other = await anotherBrowser(browser, keypool);
  await page.reload();
  const sessions = page.getByTestId('sessions').getByRole('listitem');
  await expect(sessions).toHaveCount(2);
  await expect(sessions.first()).toContainText('This session');
  await expect(sessions.first()).toContainText('127.0.0.1');
  await sessions.nth(1).getByRole('button', { name: /^End/ }).click();
  await expect(page.getByTestId('done')).toHaveText('The session was ended.');
  await expect(sessions).toHaveCount(1);
  await other.goto('/history');
  await expect(other).toHaveURL('/sign-in?next=%2Fhistory');
  await other.context().close();
});

test('a second factor is turned on, asked for, replaced by a recovery code, and turned off', async ({ browser, keypool, page }) => {
  await signIn(page, '/account');
  const before = await anotherBrowser(browser, keypool);
  await page.goto('/account/two-factor');
  await page.getByLabel('Your password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Begin', exact: true }).click();
  await expect(page.getByRole('img', { name: /QR code/ })).toBeVisible();
  const first = await page.getByTestId('secret').innerText();
  await page.getByLabel('Code from the app').fill('000000' === totp(first) ? '000001' : '000000');
  await page.getByRole('button', { name: 'Turn on' }).click();
  await expect(page.getByRole('alert')).toContainText('not on yet');
  expect(await page.getByTestId('secret').innerText(), 'the same secret is shown again').toBe(first);
  await before.goto('/account/two-factor');
  await expect(before.getByRole('main'), 'nothing is on yet').not.toContainText('Turn off');

  const { secret, codes } = await enrol(page);
  expect(codes).toHaveLength(10);
  await expect(page, 'no code is in an address').toHaveURL('/account/two-factor/confirm');
  await page.getByRole('link', { name: 'I have kept them' }).click();
  await expect(page.getByTestId('codes-left')).toHaveText('10 recovery codes are left.');
  expect(await page.content(), 'shown once').not.toContain(codes[0]);

  await before.goto('/history');
  await expect(before, 'sessions without the factor are over').toHaveURL('/sign-in?next=%2Fhistory');
  await fillSignIn(before, ADMIN.email, ADMIN.password);
  await expect(before).toHaveURL('/sign-in/code?next=%2Fhistory');
  await before.goto('/history');
  await expect(before, 'the password alone opens nothing').toHaveURL('/sign-in?next=%2Fhistory');
  await before.goto('/sign-in/code?next=%2Fhistory');
  await before.getByLabel('Code').fill(totp(secret, 0));
  await before.getByRole('button', { name: 'Sign in' }).click();
  await expect(before).toHaveURL('/history');

  await before.context().clearCookies();
  await before.goto('/sign-in/code');
  await expect(before, 'without the first step there is no second').toHaveURL('/sign-in');
  await fillSignIn(before, ADMIN.email, ADMIN.password);
  await before.getByLabel('Code').fill(codes[3] ?? '');
  await before.getByRole('button', { name: 'Sign in' }).click();
  await expect(before).toHaveURL('/');
  await before.context().clearCookies();
  await before.goto('/sign-in');
  await fillSignIn(before, ADMIN.email, ADMIN.password);
  await before.getByLabel('Code').fill(codes[3] ?? '');
  await before.getByRole('button', { name: 'Sign in' }).click();
  await expect(before.getByRole('alert'), 'a recovery code is good once').toBeVisible();

  await page.goto('/account/two-factor');
  await expect(page.getByTestId('codes-left')).toHaveText('9 recovery codes are left.');
  await page.getByText('Turn off', { exact: true }).click();
  const form = page.locator('form[action="/account/two-factor/off"]');
  await form.getByLabel('Your password').fill(ADMIN.password);
  await form.getByLabel(/^Code/).fill(totp(secret, 1));
  await form.getByRole('button').click();
  await expect(page.getByTestId('done')).toContainText('The second factor is off');
  await before.context().close();
});

test('a token is shown once, used by a program, and refused once it is revoked', async ({ context, keypool, page }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(page);
  const token = await createToken(page, 'Nightly report');
  expect(token).toMatch(/^kp_/);
  await expect(page, 'it is in no address').toHaveURL('/account/tokens');
  await hydrated(page);
  await page.getByRole('button', { name: 'Copy token' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(token);

  const ask = () =>
    fetch(`${keypool.url}/api/ai-analysis/analyze`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'Name three rivers.' }),
    });
  expect((await ask()).status).toBe(200);
  const beyond = await fetch(`${keypool.url}/api/admin/keys`, { headers: { authorization: `Bearer ${token}` } });
  expect(beyond.status, 'it is good for what was ticked only').toBe(403);

  await page.goto('/account/tokens');
  expect(await page.content()).not.toContain(token);
  const row = page.getByTestId('tokens').getByRole('row', { name: /Nightly report/ });
  await expect(row).not.toContainText('Never by itself');
  await row.getByText('Revoke', { exact: false }).first().click();
  await row.getByRole('button', { name: 'Revoke token' }).click();
  await expect(page.getByTestId('done')).toContainText('The token was revoked');
  expect((await ask()).status).toBe(401);
});

test('a token without a name or with a bad limit is refused, and what was chosen stays', async ({ page }) => {
  await signIn(page, '/account/tokens');
  await page.getByLabel('Name').fill('Report');
  await page.getByLabel('Requests per minute').fill('many');
  await page.getByLabel(/^History/).check();
  await page.getByLabel('Ends').selectOption('365');
  await page.getByRole('button', { name: 'Create token' }).click();
  await expect(page.getByRole('alert')).toContainText('The token was not created');
  await expect(page.getByLabel('Requests per minute')).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByLabel('Name')).toHaveValue('Report');
  await expect(page.getByLabel(/^History/)).toBeChecked();
  await expect(page.getByLabel('Ends')).toHaveValue('365');
});

test('the data of an account is had as a file, its history is erased, and it is deleted', async ({ keypool, page }) => {
  await page.goto('/register');
  await page.getByLabel('Name').fill('Grace Hopper');
  await page.getByLabel('E-mail').fill('grace@keypool.test');
  await page.getByLabel('Password').fill(NEW_PASSWORD);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.request.post('/api/ai-analysis/analyze', { data: { prompt: 'Name three rivers.' }, headers: { origin: keypool.url } });

  await page.goto('/account');
  const arriving = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download your data' }).click();
  const file = await (await arriving).createReadStream();
  const kept = JSON.parse(Buffer.concat(await file.toArray()).toString()) as {
    account: { email: string };
    analyses: { prompt: string }[];
  };
  expect(kept.account.email).toBe('grace@keypool.test');
  expect(kept.analyses.map(({ prompt }) => prompt)).toEqual(['Name three rivers.']);

  await page.getByText('Erase the history').click();
  await page.getByLabel('Type ERASE to confirm').fill('erase');
  await page.getByRole('button', { name: 'Erase my history' }).click();
  await expect(page.getByRole('alert')).toContainText('The history was not erased');
  await page.getByLabel('Type ERASE to confirm').fill('ERASE');
  await page.getByRole('button', { name: 'Erase my history' }).click();
  await expect(page.getByTestId('done')).toHaveText('Your history was erased.');
  await page.goto('/history');
  await expect(page.getByRole('main')).toContainText('Nothing analysed yet');

  await page.goto('/account');
  await page.locator('summary', { hasText: 'Delete the account' }).click();
  const form = page.locator('form[action="/account/delete"]');
  await form.getByLabel('Type your e-mail').fill('somebody@keypool.test');
  await form.getByLabel('Your password').fill(NEW_PASSWORD);
  await form.getByRole('button').click();
  await expect(page.getByRole('alert')).toContainText('The account was not deleted');
  await form.getByLabel('Type your e-mail').fill('grace@keypool.test');
  await form.getByLabel('Your password').fill(NEW_PASSWORD);
  await form.getByRole('button').click();
  await expect(page).toHaveURL('/sign-in?done=account-deleted');
  await fillSignIn(page, 'grace@keypool.test', NEW_PASSWORD);
  await expect(page.getByRole('alert')).toBeVisible();
});

test.describe('without script', () => {
  test.use({ javaScriptEnabled: false });

  test('password, second factor and token are managed by forms alone', async ({ page }) => {
    await signIn(page, '/account');
    const { secret } = await enrol(page);
    await page.goto('/account');
    await page.getByLabel('Current password').fill(ADMIN.password);
    await page.getByLabel('New password').fill(NEW_PASSWORD);
    await page.getByRole('button', { name: 'Change password' }).click();
    await expect(page.getByTestId('done')).toContainText('Your password was changed');
    expect(await createToken(page, 'By hand')).toMatch(/^kp_/);

    await page.getByRole('button', { name: /Account/ }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.goto('/account/tokens');
    await fillSignIn(page, ADMIN.email, NEW_PASSWORD);
    await page.getByLabel('Code').fill(totp(secret, 1));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL('/account/tokens');
    await page.getByText('Revoke').first().click();
    await page.getByRole('button', { name: 'Revoke token' }).click();
    await expect(page.getByRole('main')).toContainText('You have no token yet.');
  });
});
