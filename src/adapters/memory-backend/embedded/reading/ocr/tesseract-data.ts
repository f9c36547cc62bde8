import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** The variant of the data that is small and nearly as good as the largest. */
const VARIANT = '4.0.0_best_int'

/** Path of a language's data, as an npm package brings it. Throws if it is not installed. */
export function languageData(language: string): string {
  const manifest = require.resolve(`@tesseract.js-data/${language}/package.json`)
  return join(dirname(manifest), VARIANT, `${language}.traineddata.gz`)
}

function isThere(path: () => string): boolean {
  try {
    return existsSync(path())
  } catch {
    return false
  }
}

/** npm packages that are missing for these languages. */
export function missingOcrPackages(languages: readonly string[]): string[] {
  if (languages.length === 0) return []
  const tesseract = isThere(() => require.resolve('tesseract.js/package.json')) ? [] : ['tesseract.js@7']
  const data = languages.filter((language) => !isThere(() => languageData(language)))
  return [...tesseract, ...data.map((language) => `@tesseract.js-data/${language}`)]
}
