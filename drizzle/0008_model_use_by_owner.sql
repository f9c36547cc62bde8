-- What a model took for one partition cannot be told by user afterwards: the counts of today begin anew.
DROP TABLE "engine_model_use";--> statement-breakpoint
CREATE TABLE "engine_model_use" (
	"owner_id" text NOT NULL,
	"day" date NOT NULL,
	"calls" integer DEFAULT 0 NOT NULL,
	"input_tokens" bigint DEFAULT 0 NOT NULL,
	"output_tokens" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "engine_model_use_pkey" PRIMARY KEY("owner_id","day")
);
--> statement-breakpoint
ALTER TABLE "engine_sessions" ADD COLUMN "owner_id" text;
