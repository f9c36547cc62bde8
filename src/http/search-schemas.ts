import { z } from '@hono/zod-openapi'
import { FileKind } from './schemas.ts'

export const SearchResults = z
  .object({
    results: z.array(
      z.object({
        id: z.string(),
        session_id: z.string(),
        source_scope: z.enum(['current_chat', 'resources', 'all_user_memory']),
        resource_id: z.string().optional(),
        resource_uri: z.string().optional(),
        text: z.string(),
        subject: z.string().optional(),
        facts: z.array(z.string()),
        score: z.number(),
        timestamp: z.number().int().describe('Unix ms'),
        pending: z.boolean().describe('Found before its session was flushed'),
        speaker: z.string().optional(),
        fact: z
          .object({
            type: z.enum(['preference', 'fact', 'experience', 'goal', 'relationship']),
            confidence: z.number().describe('0 to 1'),
            occurred_at: z.number().int().optional().describe('Unix ms'),
            superseded_by: z.string().optional().describe('Id of the newer result that contradicts it'),
          })
          .optional()
          .describe('Of a result that a model drew from messages'),
        explanation: z
          .record(z.string(), z.number())
          .optional()
          .describe('Parts of the score, where `explain` asked for them'),
        sources: z.array(
          z.object({
            message_id: z.string(),
            sender_id: z.string(),
            timestamp: z.number().int(),
            attachment_id: z.string().optional().describe('The file of the message that it stands in'),
            page: z.number().int().optional(),
            sheet: z.string().optional(),
            slide: z.number().int().optional(),
          }),
        ),
        attachments: z.array(
          z.object({
            attachment_id: z.string(),
            type: FileKind,
            name: z.string(),
            mime_type: z.string(),
            size: z.number().int(),
            url: z.string().describe('Path of the original on this gateway'),
            internal_uri: z.string(),
          }),
        ),
      }),
    ),
    retrieval: z.object({
      method: z
        .enum(['lexical', 'hybrid', 'backend'])
        .describe('By words, by words and meaning, or in the way of the backend'),
      notice: z.string().optional().describe('Why the answer may be poorer than usual'),
    }),
  })
  .openapi('SearchResults')
