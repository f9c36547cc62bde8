import { setImmediate } from 'node:timers/promises'

/** What is done at a stretch: some ten milliseconds, whatever is done with each character. */
const STRETCH = 256 * 1024

/** In characters: what a text costs however short it is. */
const EACH = 200

/** Lets others have their turn within work on many or long texts. */
export class Pacer {
  #left = STRETCH

  /** Before work on a text of so many characters. */
  async take(characters: number): Promise<void> {
    if (this.#left < 0) {
      this.#left = STRETCH
      await setImmediate()
    }
    this.#left -= characters + EACH
  }
}
