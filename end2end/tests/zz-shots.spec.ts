import { expect, test } from '../support/test';
import { createToken, enrol, hydrated, signIn } from './steps';
test.use({ allowedErrors: [/./] });
for (const theme of ['light', 'dark'] as const) {
  test(`shots ${theme}`, async ({ context, keypool, page }) => {
    test.setTimeout(90_000); page.setDefaultTimeout(5000);
    await context.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    const shot = async (name: string) => {
      for (const width of [375, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        await page.screenshot({ path: `/tmp/shots/${name}-${theme}-${width}.png`, fullPage: true });
      }
    };
    await page.goto('/invitation?token=x'); await shot('invitation-bad');
    await signIn(page, '/account');
    await page.getByLabel('Name').fill('  ');
    await page.getByRole('button', { name: 'Save name' }).click();
    await page.getByText('Delete the account').last().click();
    await shot('account-refused');
    await page.goto('/account?done=password'); await page.getByRole('button', { name: /Account/ }).click(); await shot('account');
    await page.goto('/account/tokens'); await createToken(page, 'Nightly report on the build server in Reykjavik'); await page.getByText('First call').click(); await shot('token-once');
    await page.goto('/account/tokens'); await shot('tokens');
    await page.getByText('Revoke').first().click(); await shot('tokens-revoke');
    await page.goto('/account/two-factor'); await shot('tf-off');
    await page.getByLabel('Your password').fill('Grey-herons-wade-at-dawn-41');
    await page.getByRole('button', { name: 'Begin', exact: true }).click(); await shot('tf-pending');
    await enrol(page); await shot('tf-codes');
    await page.goto('/account/two-factor'); await page.getByText('New recovery codes').click(); await shot('tf-on');
    await page.goto('/admin/users');
    await page.getByLabel('E-mail').fill('grace@keypool.test');
    await page.getByRole('button', { name: 'Create invitation' }).click(); await shot('users-invited');
    const link = await page.getByRole('region', { name: 'The link' }).innerText();
    const guest = await context.browser()!.newContext({ baseURL: keypool.url });
    await guest.addCookies([{ name: 'theme', value: theme, url: keypool.url }]);
    const g = await guest.newPage(); await g.goto(link); await g.setViewportSize({ width: 375, height: 900 }); await g.screenshot({ path: `/tmp/shots/invitation-${theme}-375.png` });
    await g.getByLabel('Name').fill('Grace Hopper'); await g.getByLabel('Password').fill('Nanoseconds-of-wire-11.8-inches'); await g.getByRole('button', { name: 'Create account' }).click();
    await expect(g).toHaveURL('/');
    await page.getByRole('link', { name: 'I have kept it' }).click();
    await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Viewer' }); await page.getByRole('button', { name: 'Create invitation' }).click(); await page.goto('/admin/users'); await shot('users');
    await page.getByRole('link', { name: 'Grace Hopper' }).click(); await page.locator('summary', { hasText: 'Delete account' }).click(); await shot('user');
    await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Viewer' }); await page.getByRole('button', { name: 'Save role' }).click();
    await page.getByRole('button', { name: 'Create password link' }).click(); await shot('user-link');
    await page.goto('/admin/audit?check=1'); await page.locator('details.change summary').first().click(); await shot('audit');
    await page.goto('/admin/audit?actor=zz'); await shot('audit-none');
    await g.context().clearCookies(); await g.goto('/sign-in');
    await g.getByLabel('E-mail').fill('admin@keypool.test'); await g.getByLabel('Password').fill('Grey-herons-wade-at-dawn-41'); await g.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await g.getByLabel('Code').fill('1'); await g.getByRole('button', { name: 'Sign in' }).click(); await g.screenshot({ path: `/tmp/shots/code-${theme}-375.png` });
    await guest.close();
  });
}
