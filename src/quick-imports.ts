import { enableCompileCache, type ResolveFnOutput, registerHooks } from 'node:module'
import { join } from 'node:path'

// To be imported before everything else: it halves the time and memory of a start.
//
// Node reads and parses a package.json anew for each module that it resolves (`getPackageScopeConfig`, as of 24.21). drizzle-orm's has 130 kB, and
// hundreds of modules of it are loaded. What such a look-up would say is known here: our own modules are TypeScript, those of drizzle-orm
// that import one another by path are ES modules, and a package is the same one for all of our modules.

const root = new URL('..', import.meta.url).href
const packages = new URL('node_modules/', root).href
const drizzle = new URL('drizzle-orm/', packages).href
const found = new Map<string, ResolveFnOutput>()

registerHooks({
  resolve(specifier, context, nextResolve) {
    const { parentURL } = context
    if (parentURL?.startsWith(drizzle)) {
      return isRelative(specifier, '.js') && parentURL.endsWith('.js')
        ? at(specifier, parentURL, 'module')
        : nextResolve(specifier, context)
    }
    if (!parentURL?.startsWith(root) || parentURL.startsWith(packages) || !parentURL.endsWith('.ts')) {
      return nextResolve(specifier, context)
    }
    if (isRelative(specifier, '.ts')) return at(specifier, parentURL, 'module-typescript')
    // A `require` may find another file than an `import`.
    if (specifier.startsWith('.') || !context.conditions.includes('import')) return nextResolve(specifier, context)
    const known = found.get(specifier)
    if (known) return { ...known, shortCircuit: true }
    const resolved = nextResolve(specifier, context)
    found.set(specifier, resolved)
    return resolved
  },
})

// Not in a folder that other users can write to: it is run as it is found. Where it cannot be written to, nothing is kept.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/memory-gateway/compiled'))

function isRelative(specifier: string, extension: string): boolean {
  return specifier.startsWith('.') && specifier.endsWith(extension)
}

function at(specifier: string, parentURL: string, format: string): ResolveFnOutput {
  return { url: new URL(specifier, parentURL).href, format, shortCircuit: true }
}
