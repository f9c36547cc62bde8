// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g

/** Text that PostgreSQL takes: no NUL or other control characters, no lone surrogates, `\n` for every line end. */
export function cleanText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(CONTROL, ' ').toWellFormed()
}

// A run of blanks is looked at once, from its first: to try again from each of them takes time by the square of its length.
const TRAILING_BLANKS = /(?<![ \t\u00a0])[ \t\u00a0]+(?=\n|$)/g

/** Also without trailing blanks and runs of empty lines, as parsers leave them. */
export function tidyText(text: string): string {
  return cleanText(text)
    .replace(TRAILING_BLANKS, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

/** The first `length` UTF-16 units, without cutting a character in two. */
export function cutText(text: string, length: number): string {
  if (text.length <= length) return text
  const code = text.charCodeAt(length - 1)
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? length - 1 : length)
}
