import { readFileSync, writeFileSync } from 'node:fs'

// Completes package-lock.json. npm leaves an optional package of another platform out of the lock if the registry or mirror it
// asks does not serve it, and `npm ci` then refuses the lock everywhere. Run it after `npm install`.

interface Entry {
  version?: string
  optionalDependencies?: Record<string, string>
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['x64', 'arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32']

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Entry> }
const missing = Object.entries(lock.packages).flatMap(([holder, entry]) =>
  Object.entries(entry.optionalDependencies ?? {})
    .filter(([name, version]) => !isLocked(holder, name) && /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => [`node_modules/${name}`, platformEntry(name, version, entry.dev === true)] as const),
)
const packages = { ...lock.packages, ...Object.fromEntries(missing) }
const sorted = Object.fromEntries(Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync('package-lock.json', `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`)
console.log(`${missing.length} packages of other platforms added to package-lock.json.`)

/** As npm looks: beside the holder, then up. */
function isLocked(holder: string, name: string): boolean {
  for (let at = holder; ; at = at.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    if (`${at && `${at}/`}node_modules/${name}` in lock.packages) return true
    if (!at) return false
  }
}

function platformEntry(name: string, version: string, isDev: boolean): Entry {
  const words = (name.split('/').at(-1) ?? '').split('-')
  const isMusl = words.some((word) => word.startsWith('musl') || word === 'linuxmusl')
  const os = SYSTEMS.filter((system) => words.includes(system) || (system === 'linux' && words.includes('linuxmusl')))
  const cpu = PROCESSORS.filter((processor) => words.includes(processor))
  const isGlibc = os.includes('linux') && words.some((word) => word.startsWith('gnu'))
  return {
    version,
    ...(cpu.length > 0 && { cpu }),
    ...(isDev && { dev: true }),
    ...(isMusl && { libc: ['musl'] }),
    ...(isGlibc && { libc: ['glibc'] }),
    optional: true,
    ...(os.length > 0 && { os }),
  }
}
