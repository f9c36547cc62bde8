import { type IAudioMetadata, parseFile } from 'music-metadata'
import { cutText } from '../../text/clean-text.ts'
import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { type RecognisedSound, recogniseSound } from './recognise-sound.ts'
import { readWavSamples } from './wav-samples.ts'

const LONGEST_TAG = 2_000

async function metadataOf(path: string): Promise<IAudioMetadata> {
  try {
    return await parseFile(path, { skipCovers: true, duration: true, includeChapters: true })
  } catch (error) {
    throw new UnreadableFileError('it is damaged or not a sound', { cause: error })
  }
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`
  const whole = Math.round(seconds)
  const pad = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(whole / 3_600)
  return `${hours > 0 ? `${hours}:` : ''}${pad(Math.floor((whole % 3_600) / 60))}:${pad(whole % 60)}`
}

function facts(ext: string, { format }: IAudioMetadata): string[] {
  const { duration, codec, sampleRate, numberOfChannels: channels, bitrate } = format
  return [
    ext.toUpperCase(),
    duration ? formatSeconds(duration) : undefined,
    codec,
    sampleRate ? `${sampleRate / 1_000} kHz` : undefined,
    channels === 1 ? 'mono' : channels === 2 ? 'stereo' : channels ? `${channels} channels` : undefined,
    bitrate ? `${Math.round(bitrate / 1_000)} kbit/s` : undefined,
  ].filter((fact) => fact !== undefined)
}

function tags({ common }: IAudioMetadata): string[] {
  const { title, artist, album, year, genre, comment, subtitle, description, composer } = common
  const pairs: [string, string | number | undefined][] = [
    ['Title', title],
    ['Artist', artist],
    ['Album', album],
    ['Year', year],
    ['Genre', genre?.join(', ')],
    ['Subtitle', subtitle?.join(', ')],
    ['Composer', composer?.join(', ')],
    ['Description', description?.join(' ')],
    ['Comment', comment?.flatMap(({ text }) => text ?? []).join(' ')],
  ]
  return pairs.flatMap(([label, value]) => (value ? [`${label}: ${cutText(String(value), LONGEST_TAG)}`] : []))
}

function chapters({ format }: IAudioMetadata): string[] {
  const titles = (format.chapters ?? []).flatMap(({ title }) => title?.trim() || [])
  return titles.length === 0 ? [] : [`Chapters: ${cutText(titles.join('; '), LONGEST_TAG)}`]
}

/** Words of a song or a broadcast, if they come with it. */
function lyrics({ common }: IAudioMetadata): string[] {
  const texts = (common.lyrics ?? []).map(({ text, syncText }) => text || syncText.map((line) => line.text).join('\n'))
  return texts.some((text) => text.trim() !== '') ? ['Lyrics:', ...texts] : []
}

function heard(sound: RecognisedSound | undefined): { english: string; chinese: string } {
  if (!sound) return { english: '', chinese: '' }
  if (sound.kind === 'silence') return { english: ' It is silent.', chinese: '内容为静音。' }
  return {
    english: ` It is a single tone of about ${sound.hertz} Hz.`,
    chinese: `内容为约 ${sound.hertz} 赫兹的单一音调。`,
  }
}

/** Format, length, tags; of plain WAV also silence or a single tone. Speech is not transcribed. */
export async function readSound({ path, ext }: ReadJob): Promise<FileReading> {
  const metadata = await metadataOf(path)
  if (!metadata.format.container) throw new UnreadableFileError('it is damaged or not a sound')
  const samples = ext === 'wav' ? await readWavSamples(path) : undefined
  const { english, chinese } = heard(samples && recogniseSound(samples))
  const said = facts(ext, metadata)
  const kind = metadata.format.hasVideo ? ['Video', '视频'] : ['Audio', '音频']
  const lines = [
    `${kind[0]}: ${said.join(', ')}.${english}`,
    `${kind[1]}:${said.join(',')}。${chinese}`,
    ...tags(metadata),
    ...chapters(metadata),
    ...lyrics(metadata),
  ]
  const { title } = metadata.common
  return { sections: [{ text: lines.join('\n') }], ...(title && { title }) }
}
