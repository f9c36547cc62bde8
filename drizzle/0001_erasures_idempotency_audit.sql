CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"request_id" text NOT NULL,
	"user_id" text,
	"key_id" text,
	"action" text NOT NULL,
	"target" text NOT NULL,
	"result" text NOT NULL,
	"bytes" bigint
);
--> statement-breakpoint
CREATE TABLE "erasures" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"user_id" text NOT NULL,
	"kind" text NOT NULL,
	"requested_by" text NOT NULL,
	"sessions" integer NOT NULL,
	"messages" integer NOT NULL,
	"objects" integer NOT NULL,
	"bytes" bigint NOT NULL,
	"left_upstream" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text,
	"fingerprint" text NOT NULL,
	"claim_token" text,
	"claimed_until" timestamp with time zone,
	"answer" text,
	"batch_id" text,
	"session_id" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "attachments" ADD COLUMN "erasure_id" text;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "erasure_id" text;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "settles_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "erased_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_at_idx" ON "audit_log" USING btree ("at");--> statement-breakpoint
CREATE INDEX "audit_log_user_id_at_idx" ON "audit_log" USING btree ("user_id","at");--> statement-breakpoint
CREATE INDEX "erasures_unfinished_idx" ON "erasures" USING btree ("updated_at") WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_user_id_idx" ON "idempotency_keys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_batch_id_idx" ON "idempotency_keys" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_session_id_idx" ON "idempotency_keys" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "attachments_erasure_id_idx" ON "attachments" USING btree ("erasure_id") WHERE erasure_id is not null;--> statement-breakpoint
CREATE INDEX "batches_user_id_created_at_idx" ON "batches" USING btree ("user_id","created_at") WHERE state <> 'relayed';--> statement-breakpoint
CREATE INDEX "sessions_erasure_id_idx" ON "sessions" USING btree ("erasure_id") WHERE erasure_id is not null;--> statement-breakpoint
-- Deletions that the backend has yet to follow get an erasure each.
UPDATE "sessions" SET "erasure_id" = 'era_' || substr(md5(random()::text || "id"), 1, 24) WHERE "deleted_at" IS NOT NULL AND "forgotten_at" IS NULL;--> statement-breakpoint
INSERT INTO "erasures" ("id", "account_id", "user_id", "kind", "requested_by", "sessions", "messages", "objects", "bytes", "created_at", "updated_at")
SELECT s."erasure_id", u."account_id", s."user_id", CASE s."kind" WHEN 'resource' THEN 'resource' ELSE 'session' END, 'user', 1, 0, 0, 0, s."deleted_at", s."deleted_at"
FROM "sessions" s JOIN "users" u ON u."id" = s."user_id" WHERE s."erasure_id" IS NOT NULL;--> statement-breakpoint
CREATE FUNCTION "refuse_audit_change"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$;--> statement-breakpoint
CREATE TRIGGER "audit_log_append_only" BEFORE UPDATE OR DELETE ON "audit_log" FOR EACH ROW EXECUTE FUNCTION "refuse_audit_change"();
