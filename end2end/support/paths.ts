import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

/** Cargo's target folder. */
export const targetDir = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');

/** What `cargo xtask build` made. */
export const siteDir = join(targetDir, 'site');

/** A program that `cargo build` made. */
export function program(name: string): string {
  return join(targetDir, 'debug', name);
}
