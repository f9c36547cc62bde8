import type { Database } from '../../../../db/database.ts'
import type { ModelProvider } from '../../../../ports/model-provider.ts'
import type { TranscriptionModel } from '../../../../ports/transcription-model.ts'
import type { Embeddings } from '../embeddings/embeddings.ts'
import { createFactExtractor, type FactExtractor } from './fact-extractor.ts'
import { createFileDescriber, type DescriberOf } from './file-describer.ts'
import type { ModelEvents, ModelLogger } from './model-events.ts'

/** Models that the embedded backend asks; whoever made them closes them after it. */
export interface EngineModels {
  /** Draws facts from what is flushed, and describes pictures. */
  readonly chat?: ModelProvider | undefined
  /** Writes down what is said in sounds. */
  readonly transcription?: TranscriptionModel | undefined
  /** What they may take for one user in a day (UTC); 0: they are not asked. */
  readonly tokensPerDay: number
  readonly events?: ModelEvents | undefined
  /** Ms that a flush waits for its facts. */
  readonly waitMs?: number | undefined
}

export interface ModelWork {
  readonly facts: FactExtractor | undefined
  readonly describerOf: DescriberOf | undefined
}

/** What the work needs besides the models. */
interface Surroundings {
  readonly db: Database
  readonly logger: ModelLogger | undefined
  readonly embeddings: Pick<Embeddings, 'noticed'> | undefined
}

export function createModelWork({ db, logger, embeddings }: Surroundings, models: EngineModels | undefined): ModelWork {
  if (!models || models.tokensPerDay <= 0) return { facts: undefined, describerOf: undefined }
  const { chat, transcription, tokensPerDay, events, waitMs } = models
  return {
    facts: chat && createFactExtractor({ db, model: chat, embeddings, tokensPerDay, events, logger, waitMs }),
    describerOf:
      chat || transcription
        ? createFileDescriber({ db, chatModel: chat, transcription, tokensPerDay, events, logger })
        : undefined,
  }
}
