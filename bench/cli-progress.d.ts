/** The parts of cli-progress that are used here; it brings no types of its own. */
declare module 'cli-progress' {
  export class SingleBar {
    constructor(options: Record<string, unknown>, preset: object)
    start(total: number, value: number, payload: Record<string, unknown>): void
    update(value: number, payload: Record<string, unknown>): void
    stop(): void
  }
  export const Presets: { shades_classic: object }
}
