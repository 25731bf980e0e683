import type { Page } from '@playwright/test';

import { expect, test } from '../support/test';
import { ADMIN } from '../support/server';
import { fillSignIn, signIn } from './steps';

test.use({ allowedErrors: [/status of 40[0139]/] });

const GRACE = { email: 'grace@keypool.test', password: 'Nanoseconds-of-wire-11.8-inches' };

/** Makes an invitation through the page and returns its link. */
async function invite(page: Page, role: string, email = ''): Promise<string> {
  await page.goto('/admin/users');
  await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: role });
  await page.getByLabel('E-mail').fill(email);
  await page.getByRole('button', { name: 'Create invitation' }).click();
  return page.getByRole('region', { name: 'The link' }).innerText();
}

/** The account by way of an invitation, in a browser of its own. */
async function arrive(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Name').fill('Grace Hopper');
  await page.getByLabel('Password').fill(GRACE.password);
  await page.getByRole('button', { name: 'Create account' }).click();
}

test.describe('where accounts are made by invitation', () => {
  test.use({ setup: { env: { KEYPOOL_REGISTRATION: 'invite' } } });

  test('an invitation makes one account with its role', async ({ browser, keypool, page }) => {
    await signIn(page, '/admin/users');
    const link = await invite(page, 'Viewer', GRACE.email);
    expect(link).toContain(`${keypool.url}/invitation?token=`);
    await page.goto('/admin/users');
    await expect(page.getByTestId('invitations')).toContainText(GRACE.email);

    const guest = await (await browser.newContext({ baseURL: keypool.url })).newPage();
    await guest.goto('/register');
    await expect(guest.getByRole('main')).toContainText('An invitation is needed');
    await arrive(guest, link);
    await expect(guest).toHaveURL('/');
    await expect(guest.getByRole('banner')).toContainText('Grace Hopper');
    await guest.goto('/account');
    await expect(guest.getByRole('main')).toContainText('Viewer');
    await guest.goto(link);
    await expect(guest.getByRole('main'), 'it is good once').toContainText('does not work any more');

    await page.goto('/admin/users');
    await expect(page.getByTestId('accounts').getByRole('row', { name: /Grace Hopper/ })).toContainText('Viewer');
    await expect(page.getByTestId('invitations')).toHaveCount(0);
    await guest.context().close();
  });

  test('an invitation that was withdrawn works no more', async ({ page }) => {
    await signIn(page, '/admin/users');
    const link = await invite(page, 'User');
    await page.goto('/admin/users');
    await page.getByTestId('invitations').getByRole('button', { name: /^Withdraw/ }).click();
    await expect(page.getByTestId('done')).toContainText('withdrawn');
    await page.goto(link);
    await expect(page.getByRole('main')).toContainText('does not work any more');
  });
});

test('an account is given a role, disabled, enabled, helped with its password, and deleted', async ({ browser, keypool, page }) => {
  test.slow();
  await signIn(page, '/admin/users');
  const guest = await (await browser.newContext({ baseURL: keypool.url })).newPage();
  await arrive(guest, await invite(page, 'User', GRACE.email));
  await expect(guest).toHaveURL('/');
  await guest.goto('/admin/users');
  await expect(guest.getByTestId('error-page'), 'a user is no administrator').toBeVisible();

  await page.goto('/admin/users');
  await page.getByRole('link', { name: 'Grace Hopper' }).click();
  await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Administrator' });
  await page.getByRole('button', { name: 'Save role' }).click();
  await expect(page.getByTestId('done')).toHaveText('The account was changed.');
  await guest.goto('/admin/users');
  await expect(guest, 'another role is another sign-in').toHaveURL('/sign-in?next=%2Fadmin%2Fusers');
  await fillSignIn(guest, GRACE.email, GRACE.password);
  await expect(guest.getByTestId('accounts')).toBeVisible();

  await page.getByRole('button', { name: 'Disable' }).click();
  await expect(page.getByTestId('done')).toContainText('disabled');
  await guest.goto('/history');
  await expect(guest).toHaveURL('/sign-in?next=%2Fhistory');
  await fillSignIn(guest, GRACE.email, GRACE.password);
  await expect(guest.getByRole('alert'), 'nor can it sign in').toBeVisible();
  await page.getByRole('button', { name: 'Enable' }).click();
  await expect(page.getByTestId('done')).toHaveText('The account was enabled.');

  await page.getByRole('button', { name: 'Create password link' }).click();
  const link = await page.getByRole('region', { name: 'The link' }).innerText();
  await guest.goto(link);
  await guest.getByLabel('New password', { exact: true }).fill('Forgotten-no-more-since-1906');
  await guest.getByRole('button', { name: 'Set password' }).click();
  await expect(guest).toHaveURL('/sign-in?done=password-set');
  await fillSignIn(guest, GRACE.email, 'Forgotten-no-more-since-1906');
  await expect(guest).toHaveURL('/');

  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(page.getByTestId('done')).toContainText('signed out');
  await guest.goto('/history');
  await expect(guest).toHaveURL('/sign-in?next=%2Fhistory');

  await page.locator('summary', { hasText: 'Delete account' }).click();
  await page.getByLabel("Type the account's e-mail").fill('grace@keypool');
  await page.getByRole('button', { name: 'Delete this account' }).click();
  await expect(page.getByRole('alert')).toContainText('The account was not deleted');
  await page.getByLabel("Type the account's e-mail").fill(GRACE.email);
  await page.getByRole('button', { name: 'Delete this account' }).click();
  await expect(page).toHaveURL('/admin/users?done=user-deleted');
  await expect(page.getByTestId('accounts')).not.toContainText('Grace Hopper');
  await guest.context().close();
});

test('nobody locks themselves out, and every act is in the audit log', async ({ page }) => {
  await signIn(page, '/admin/users');
  await page.getByTestId('accounts').getByRole('link').click();
  await expect(page.getByRole('main')).toContainText('This is your own account');
  await expect(page.getByRole('button', { name: 'Disable' })).toHaveCount(0);

  await invite(page, 'Viewer');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Audit' }).click();
  const log = page.getByTestId('audit');
  await expect(log.getByRole('row', { name: /invitation\.create/ })).toContainText(ADMIN.email);
  await page.getByLabel('Action').fill('session.');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(log).toContainText('session.start');
  await expect(log).not.toContainText('invitation.create');
  await page.getByLabel('Who').fill('nobody%');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByRole('main')).toContainText('No entry matches');
  await page.getByRole('button', { name: 'Check the log' }).click();
  await expect(page.getByTestId('verdict')).toContainText('The log is whole');
});

test.describe('where registration is closed', () => {
  test.use({ setup: { env: { KEYPOOL_REGISTRATION: 'closed' } } });

  test('nobody makes an account, and nobody is offered one', async ({ page }) => {
    await page.goto('/sign-in');
    await expect(page.getByRole('link', { name: 'Create one' })).toHaveCount(0);
    await page.goto('/register');
    await expect(page.getByRole('main')).toContainText('Registration is closed');
  });
});
