import { describe, expect, it } from 'vitest'
import { modelProviders, PROVIDER_URLS } from '../../config/model-providers.ts'
import type { ModelPath } from '../../ports/model-gateway.ts'
import { credentialHeaders, ProviderTable } from './providers.ts'

const defaults = {
  OPENAI_BASE_URL: PROVIDER_URLS.openai,
  ANTHROPIC_BASE_URL: PROVIDER_URLS.anthropic,
  GEMINI_BASE_URL: PROVIDER_URLS.gemini,
  OPENROUTER_BASE_URL: PROVIDER_URLS.openrouter,
}
type Settings = Partial<Parameters<typeof modelProviders>[0]>
const own = { OPENAI_BASE_URL: 'http://127.0.0.1:4000/v1' }
const openai = { OPENAI_API_KEY: 'sk-o' }
const anthropic = { ANTHROPIC_API_KEY: 'sk-a' }
const gemini = { GEMINI_API_KEY: 'g' }
const openrouter = { OPENROUTER_API_KEY: 'sk-or' }
const ollama = { MODEL_PROVIDERS: { ollama: { base_url: 'http://127.0.0.1:11434/v1' } } }

const tableOf = (settings: Settings) => new ProviderTable(modelProviders({ ...defaults, ...settings }))

function chosen(settings: Settings, model: string, path: ModelPath, hasOwnKey: boolean): string {
  try {
    const destination = tableOf(settings).choose(model, path, hasOwnKey)
    return `${destination.provider.name} ${destination.model}`
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}

describe('the provider of a model', () => {
  it.each<[Settings, string, ModelPath, string]>([
    [openai, 'openai/gpt-x', '/chat/completions', 'openai gpt-x'],
    [openai, 'gpt-x', '/chat/completions', 'openai gpt-x'],
    [openai, 'gpt-x', '/responses', 'openai gpt-x'],
    [anthropic, 'anthropic/claude-x', '/messages', 'anthropic claude-x'],
    [anthropic, 'claude-x', '/messages', 'anthropic claude-x'],
    [anthropic, 'anthropic/claude-x', '/chat/completions', 'anthropic claude-x'],
    [{ ...openai, ...anthropic }, 'openai/gpt-x', '/messages', 'openai gpt-x'],
    [gemini, 'google/gemini-x', '/chat/completions', 'google gemini-x'],
    [gemini, 'gemini/gemini-x', '/chat/completions', 'google gemini-x'],
    [openrouter, 'openrouter/anthropic/claude-x', '/chat/completions', 'openrouter anthropic/claude-x'],
    [ollama, 'ollama/llama3:8b', '/chat/completions', 'ollama llama3:8b'],
    // Without a key for it, a provider that may know the whole name.
    [openrouter, 'anthropic/claude-x', '/chat/completions', 'openrouter anthropic/claude-x'],
    [openrouter, 'meta-llama/llama-x', '/chat/completions', 'openrouter meta-llama/llama-x'],
    [openrouter, 'gpt-x', '/chat/completions', 'openrouter gpt-x'],
    [{ ...openrouter, ...own }, 'meta-llama/llama-x', '/chat/completions', 'openrouter meta-llama/llama-x'],
    [own, 'meta-llama/llama-x', '/chat/completions', 'openai meta-llama/llama-x'],
    [own, 'anthropic/claude-x', '/messages', 'openai anthropic/claude-x'],
    [own, 'claude-x', '/messages', 'openai claude-x'],
    [own, 'openai/gpt-x', '/chat/completions', 'openai gpt-x'],
  ])('%j: %s at %s goes to %s', (settings, model, path, expected) => {
    expect(chosen(settings, model, path, false)).toBe(expected)
  })

  it.each<[Settings, string, ModelPath, string]>([
    [{}, 'openai/gpt-x', '/chat/completions', 'OPENAI_API_KEY'],
    [{}, 'gpt-x', '/chat/completions', 'OPENAI_API_KEY'],
    [openai, 'claude-x', '/messages', 'ANTHROPIC_API_KEY'],
    [openai, 'google/gemini-x', '/chat/completions', 'GEMINI_API_KEY'],
    [openai, 'meta-llama/llama-x', '/chat/completions', 'MODEL_PROVIDERS'],
    [openai, 'openai/', '/chat/completions', 'OPENAI_API_KEY'],
    [{ ...openai, ...own }, 'constructor/x', '/messages', 'openai constructor/x'],
  ])('%j: %s at %s needs %s', (settings, model, path, setting) => {
    expect(chosen(settings, model, path, false)).toContain(setting)
  })

  it('gets a key of the caller without one of the gateway, and no other provider does', () => {
    expect(chosen({}, 'openai/gpt-x', '/chat/completions', true)).toBe('openai gpt-x')
    expect(chosen(openrouter, 'anthropic/claude-x', '/messages', true)).toBe('anthropic claude-x')
    expect(chosen(openrouter, 'claude-x', '/messages', true)).toBe('anthropic claude-x')
    const all = { ...openai, ...openrouter, ...own }
    expect(chosen(all, 'meta-llama/llama-x', '/chat/completions', true)).toContain('no provider "meta-llama"')
  })
})

describe('the key that a provider is shown', () => {
  const { providers } = tableOf({ ...openai, ...anthropic, ...ollama })
  const shown = (name: string, path: ModelPath, given = {}) => {
    const provider = providers.find((one) => one.name === name)
    return provider && credentialHeaders(provider, path, { headers: [], ...given })
  }

  it('is in the header that its API asks for', () => {
    expect(shown('openai', '/chat/completions')).toEqual(['authorization', 'Bearer sk-o'])
    expect(shown('anthropic', '/messages')).toEqual(['x-api-key', 'sk-a', 'anthropic-version', '2023-06-01'])
    expect(shown('anthropic', '/chat/completions')).toEqual(['authorization', 'Bearer sk-a'])
    expect(shown('openai', '/messages')).toEqual(['authorization', 'Bearer sk-o'])
    expect(shown('ollama', '/chat/completions')).toEqual([])
  })

  it("is the caller's, in the header they used", () => {
    const passThroughKey = { header: 'authorization', value: 'Bearer sk-mine' }
    expect(shown('anthropic', '/messages', { passThroughKey, headers: ['Anthropic-Version', '2024-01-01'] })).toEqual([
      'authorization',
      'Bearer sk-mine',
    ])
  })
})
