CREATE TABLE "engine_embedding_models" (
	"model" text PRIMARY KEY NOT NULL,
	"used_at" timestamp with time zone DEFAULT now() NOT NULL
);
