import { expect } from '@playwright/test';

/** What a call of the provider gets. The simulator's `src/lib.rs` explains every field. */
export interface Behaviour {
  reply?:
    | 'answer'
    | { fixture: string }
    | { respond: { status: number; headers?: [name: string, value: string][]; body?: string } }
    | { huge: { bytes: number } };
  opening?: 'prompt' | 'hang' | 'reset' | { delay: { ms: number } };
  chunking?: { bytes: number; pause_ms: number };
  cut?: { stall: AfterBytes } | { reset: AfterBytes } | { truncate: AfterBytes };
}

interface AfterBytes {
  after_bytes: number;
}

/** Quotas of one project for one model; what is left out is unlimited. */
export interface Limits {
  rpm?: number;
  tpm?: number;
  rpd?: number;
}

/** A call that reached the provider. */
export interface Call {
  key: string;
  model: string;
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body: unknown;
  at_ms: number;
  ended: 'Answered' | 'ClosedByCaller' | 'InProgress';
}

/** Any model, or every key. */
export const ANY = '*';

/** The simulated provider's controls. */
export class SimulatorControl {
  constructor(
    /** Where it listens. */
    readonly url: string,
  ) {}

  /** Each generating call of the key takes the next of these; then it answers normally again. */
  async script(key: string, model: string, behaviours: Behaviour[]): Promise<void> {
    await this.post('script', { key, model, behaviours, always: false });
  }

  /** Every generating call of the key gets this, until `clear`. */
  async always(key: string, model: string, behaviour: Behaviour): Promise<void> {
    await this.post('script', { key, model, behaviours: [behaviour], always: true });
  }

  /**
   * The next generating call of the key meets its minute quota, as another program with the same key would have used it up.
   * The provider asks for a pause; Keypool adds a second.
   */
  async rest(key: string, seconds: number): Promise<void> {
    const details = [
      {
        '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
        violations: [
          {
            quotaMetric: 'generativelanguage.googleapis.com/generate_content_free_tier_requests',
            quotaId: 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
            quotaDimensions: { location: 'global', model: 'gemini-2.5-flash' },
            quotaValue: '10',
          },
        ],
      },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` },
    ];
    const message = `You exceeded your current quota.\nPlease retry in ${seconds}s.`;
    const body = JSON.stringify({ error: { code: 429, message, status: 'RESOURCE_EXHAUSTED', details } });
    const headers: [string, string][] = [['content-type', 'application/json']];
    await this.script(key, ANY, [{ reply: { respond: { status: 429, headers, body } } }]);
  }

  /** Forgets all scripts. */
  async clear(): Promise<void> {
    await this.post('clear');
  }

  async limit(project: string, model: string, limits: Limits): Promise<void> {
    await this.post('limit', { project, model, ...limits });
  }

  /** Puts a key into a project; without, each key is in one of its own, named as the key. */
  async assign(key: string, project: string): Promise<void> {
    await this.post('assign', { key, project });
  }

  /** Moves the provider's clock, which counts its quotas; `null` is real time. */
  async now(ms: number | null): Promise<void> {
    await this.post('now', { ms });
  }

  /** The calls so far, oldest first, and how many are still open. */
  async calls(): Promise<{ calls: Call[]; in_progress: number }> {
    return (await this.request('GET', 'calls')) as { calls: Call[]; in_progress: number };
  }

  /** Waits until the calls are as they should be, and returns them. */
  async waitForCalls(what: string, isReached: (calls: Call[]) => boolean): Promise<Call[]> {
    let calls: Call[] = [];
    await expect
      .poll(
        async () => {
          ({ calls } = await this.calls());
          return isReached(calls);
        },
        { message: `the provider's calls: ${what}` },
      )
      .toBe(true);
    return calls;
  }

  private async post(name: string, body?: object): Promise<void> {
    await this.request('POST', name, body ?? {});
  }

  private async request(method: 'GET' | 'POST', name: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}/_control/${name}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the simulator refused ${method} ${name} (${response.status}): ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}
