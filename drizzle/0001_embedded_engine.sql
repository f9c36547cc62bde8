DROP INDEX "engine_memories_terms_idx";--> statement-breakpoint
CREATE INDEX "engine_memories_terms_idx" ON "engine_memories" USING gin ("terms") WITH (fastupdate=false);