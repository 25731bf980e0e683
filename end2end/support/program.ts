import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;

/** A program that runs beside a test, with everything it has printed. */
export class Program {
  readonly lines: string[] = [];
  private spawnError: Error | undefined;
  private readonly watchers = new Set<() => void>();

  private constructor(
    private readonly name: string,
    private readonly child: ChildProcess,
  ) {
    child.on('error', (error) => {
      this.spawnError = error;
      this.notify();
    });
    child.on('exit', () => this.notify());
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.notify();
      });
    }
  }

  /**
   * Starts a program and waits until a line that it prints matches `ready`; returns it with the first group of the match.
   * It sees no variables but `env` and `PATH`: what is set on the machine must not change a test.
   */
  static async start(
    path: string,
    args: string[],
    options: { cwd: string; env?: Record<string, string>; ready: RegExp },
  ): Promise<{ program: Program; address: string }> {
    const child = spawn(path, args, {
      cwd: options.cwd,
      env: { PATH: process.env.PATH ?? '', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const program = new Program(path, child);
    try {
      return { program, address: await program.waitForLine(options.ready) };
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Everything printed so far, standard output and standard error together. */
  get log(): string {
    return this.lines.join('\n');
  }

  /** Waits for a line that matches, also an earlier one, and returns the first group of the match. */
  async waitForLine(pattern: RegExp, timeoutMs = START_TIMEOUT_MS): Promise<string> {
    const find = () => this.lines.map((line) => pattern.exec(line)?.[1]).find((group) => group !== undefined);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        act();
      };
      const fail = (why: string) => settle(() => reject(new Error(`${this.name} ${why}\n${this.log}`)));
      const look = () => {
        const found = find();
        if (found !== undefined) settle(() => resolve(found));
        else if (this.spawnError !== undefined) fail(`could not be started: ${this.spawnError.message}`);
        else if (this.hasExited) fail(`stopped (${this.child.exitCode ?? this.child.signalCode}) before it printed ${pattern}`);
      };
      const timer = setTimeout(() => fail(`did not print ${pattern} within ${timeoutMs} ms`), timeoutMs);
      this.watchers.add(look);
      look();
    });
  }

  /** Ends the program at once, as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.hasExited) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  /** Asks the program to stop and waits for it. Returns its exit code, or the signal that ended it. */
  async stop(): Promise<number | NodeJS.Signals | null> {
    if (!this.hasExited) {
      const exited = once(this.child, 'exit');
      const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      this.child.kill('SIGTERM');
      await exited;
      clearTimeout(timer);
    }
    return this.child.exitCode ?? this.child.signalCode;
  }

  private get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private notify(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}
