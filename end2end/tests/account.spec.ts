import { expect, test } from '../support/test';
import { ADMIN } from '../support/server';
import { Composer, fillSignIn, hydrated, signIn } from './steps';

// The browser's own line for a refused form.
test.use({ allowedErrors: [/status of 401/] });

test('a wrong password is told kindly, and the e-mail is kept', async ({ page }) => {
  await page.goto('/history');
  await expect(page).toHaveURL('/sign-in?next=%2Fhistory');

  await fillSignIn(page, ADMIN.email, 'not the password at all');

  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByLabel('E-mail')).toHaveValue(ADMIN.email);
  await expect(page.getByLabel('Password')).toHaveValue('');

  await fillSignIn(page, ADMIN.email, ADMIN.password);
  await expect(page, 'the sign-in leads to where it came from').toHaveURL('/history');
});

test('a new account is signed in at once and sees no page of admins', async ({ page }) => {
  await page.goto('/register');
  await page.getByLabel('Name').fill('Grace Hopper');
  await page.getByLabel('E-mail').fill('grace@keypool.test');
  await page.getByLabel('Password').fill('Nanoseconds-of-wire-11.8-inches');
  await page.getByRole('button', { name: 'Create account' }).click();

  await expect(page).toHaveURL('/');
  await expect(page.getByRole('banner')).toContainText('Grace Hopper');
});

test('signing out ends the session', async ({ page }) => {
  await signIn(page, '/history');
  await page.getByRole('button', { name: /Account/ }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();

  await page.goto('/history');
  await expect(page).toHaveURL('/sign-in?next=%2Fhistory');
});

test.describe('without an administrator', () => {
  test.use({ setup: { admin: false, keys: 0 } });

  test('the printed link creates the administrator, who is led to the first key and to a first answer', async ({ keypool, page }) => {
    const link = await keypool.waitForLog(/(\/set-up\?token=[^\s"]+)/);
    await page.goto(link);
    await page.getByLabel('Name').fill('Ada Lovelace');
    await page.getByLabel('E-mail').fill('ada@keypool.test');
    await page.getByLabel('Password').fill('Weaves-algebraic-patterns-1843');
    await page.getByRole('button', { name: 'Create administrator' }).click();

    await expect(page).toHaveURL(/\/set-up\/key/);
    await page.getByLabel('API key').fill('AIzaSimulatedKey-0000000000000000000009');
    await page.getByRole('button', { name: 'Test and save' }).click();
    await expect(page.getByRole('main')).toContainText('Ready');

    await page.getByRole('link', { name: 'Analyze something' }).click();
    await expect(page).toHaveURL('/');
    await hydrated(page);
    const composer = new Composer(page);
    await composer.ask('Name three rivers.');
    await expect(composer.line).toContainText('Done');
  });
});
