import { type Browser, expect, type Locator, type Page } from '@playwright/test';

import { ANY, type SimulatorControl } from '../support/control';
import { ADMIN, type Keypool } from '../support/server';
import { totp } from '../support/totp';

/** Waits until the islands of the page listen. */
export async function hydrated(page: Page): Promise<void> {
  await expect(page.locator('html[data-hydrated]')).toBeAttached();
}

/** Signs in through the page and arrives at `next`. */
export async function signIn(page: Page, next = '/'): Promise<void> {
  await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
  await fillSignIn(page, ADMIN.email, ADMIN.password);
  await expect(page).toHaveURL(next);
}

export async function fillSignIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** A browser of its own, signed in with the administrator's password. */
export async function anotherBrowser(browser: Browser, keypool: Keypool): Promise<Page> {
  const context = await browser.newContext({ baseURL: keypool.url });
  const page = await context.newPage();
  await signIn(page, '/account');
  return page;
}

/** Turns the second factor on through the page; returns its secret and the recovery codes. */
export async function enrol(page: Page, password = ADMIN.password): Promise<{ secret: string; codes: string[] }> {
  await page.goto('/account/two-factor');
  // Begun before and not finished: the same secret is still there.
  if (!(await page.getByTestId('secret').isVisible())) {
    await page.getByLabel('Your password').fill(password);
    await page.getByRole('button', { name: 'Begin', exact: true }).click();
  }
  const secret = await page.getByTestId('secret').innerText();
  await page.getByLabel('Code from the app').fill(totp(secret, -1));
  await page.getByRole('button', { name: 'Turn on' }).click();
  const codes = (await page.getByRole('region', { name: 'The codes' }).innerText()).split('\n');
  return { secret, codes };
}

/** Makes an API token through the page, for what is ticked at first, and returns it. */
export async function createToken(page: Page, name: string): Promise<string> {
  await page.goto('/account/tokens');
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Create token' }).click();
  return page.getByRole('region', { name: 'The token' }).innerText();
}

/** Uses up today's quota of a key, as another program with the same key would. */
export async function spendDay(simulator: SimulatorControl, key: string): Promise<void> {
  await simulator.limit(key, ANY, { rpd: 1 });
  const response = await fetch(`${simulator.url}/v1beta/models/gemini-2.5-flash:generateContent`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': key },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }),
  });
  expect(response.status, 'the one request of the day').toBe(200);
}

/** The parts of the page at `/`. */
export class Composer {
  readonly form: Locator;
  readonly prompt: Locator;
  readonly analyze: Locator;
  readonly stop: Locator;
  readonly fileInput: Locator;
  readonly images: Locator;
  readonly answer: Locator;
  readonly line: Locator;
  /** What a screen reader is told of it. */
  readonly announced: Locator;
  readonly problem: Locator;

  constructor(readonly page: Page) {
    this.form = page.getByRole('form', { name: 'New analysis' });
    this.prompt = this.form.getByLabel('Prompt');
    this.analyze = this.form.getByRole('button', { name: 'Analyze' });
    this.stop = this.form.getByRole('button', { name: 'Stop' });
    this.fileInput = this.form.locator('input[type=file]');
    this.images = this.form.getByRole('list', { name: 'Chosen images' }).getByRole('listitem');
    this.answer = page.getByTestId('answer');
    this.line = page.getByTestId('state-line');
    this.announced = page.getByTestId('announced');
    this.problem = page.getByTestId('problem');
  }

  /** One more page of the same account. */
  async beside(): Promise<Composer> {
    const page = await this.page.context().newPage();
    await page.goto('/');
    await hydrated(page);
    return new Composer(page);
  }

  /** Signs in and waits until the composer listens. */
  static async open(page: Page): Promise<Composer> {
    await signIn(page);
    await hydrated(page);
    return new Composer(page);
  }

  async ask(prompt: string): Promise<void> {
    await this.prompt.fill(prompt);
    await this.analyze.click();
  }

  async tab(name: 'Text' | 'Image'): Promise<void> {
    await this.form.getByRole('tab', { name }).click();
  }
}

/** A complete picture of 1 × 1 pixel. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

export function png(name: string): { name: string; mimeType: string; buffer: Buffer } {
  return { name, mimeType: 'image/png', buffer: PNG };
}

/** Hands files to an element the way a drop or a paste does. */
export async function transfer(target: Locator, kind: 'drop' | 'paste', files: { name: string; mimeType: string; buffer: Buffer }[]): Promise<void> {
  const plain = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString('base64') }));
  await target.evaluate(
    (element, { kind, plain }) => {
      const transfer = new DataTransfer();
      for (const { name, mimeType, base64 } of plain) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type: mimeType }));
      }
      const common = { bubbles: true, cancelable: true };
      if (kind === 'paste') {
        element.dispatchEvent(new ClipboardEvent('paste', { ...common, clipboardData: transfer }));
      } else {
        element.dispatchEvent(new DragEvent('dragover', { ...common, dataTransfer: transfer }));
        element.dispatchEvent(new DragEvent('drop', { ...common, dataTransfer: transfer }));
      }
    },
    { kind, plain },
  );
}
