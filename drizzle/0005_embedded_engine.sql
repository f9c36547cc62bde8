CREATE TABLE "engine_embeddings" (
	"project_id" text NOT NULL,
	"sender_id" text NOT NULL,
	"model" text NOT NULL,
	"content_hash" text NOT NULL,
	"embedding" real[],
	"due_at" timestamp with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "engine_embeddings_pkey" PRIMARY KEY("project_id","sender_id","model","content_hash")
);
--> statement-breakpoint
CREATE TABLE "engine_model_use" (
	"project_id" text NOT NULL,
	"sender_id" text NOT NULL,
	"day" date NOT NULL,
	"calls" integer DEFAULT 0 NOT NULL,
	"input_tokens" bigint DEFAULT 0 NOT NULL,
	"output_tokens" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "engine_model_use_pkey" PRIMARY KEY("project_id","sender_id","day")
);
--> statement-breakpoint
CREATE TABLE "engine_sessions" (
	"project_id" text NOT NULL,
	"sender_id" text NOT NULL,
	"session_id" text NOT NULL,
	"flushed_through" bigint DEFAULT 0 NOT NULL,
	"facts_through" bigint DEFAULT 0 NOT NULL,
	"facts_due_at" timestamp with time zone,
	"facts_attempts" integer DEFAULT 0 NOT NULL,
	"facts_error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "engine_sessions_pkey" PRIMARY KEY("project_id","sender_id","session_id")
);
--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "terms_version" smallint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "kind" text DEFAULT 'turn' NOT NULL;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "speaker" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "role" text DEFAULT 'user' NOT NULL;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "place" jsonb;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "content_hash" text;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "fact_type" text;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "confidence" double precision;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "occurred_at" bigint;--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "source_timestamps" bigint[];--> statement-breakpoint
ALTER TABLE "engine_memories" ADD COLUMN "superseded_by" text;--> statement-breakpoint
CREATE INDEX "engine_embeddings_due_idx" ON "engine_embeddings" USING btree ("model","due_at") WHERE due_at is not null;--> statement-breakpoint
CREATE INDEX "engine_sessions_facts_due_idx" ON "engine_sessions" USING btree ("facts_due_at") WHERE facts_due_at is not null;--> statement-breakpoint
CREATE INDEX "engine_memories_outdated_idx" ON "engine_memories" USING btree ("id") WHERE terms_version < 2;--> statement-breakpoint
CREATE INDEX "engine_memories_content_idx" ON "engine_memories" USING btree ("project_id","sender_id","content_hash");