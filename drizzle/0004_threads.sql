CREATE TABLE "observation_records" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"thread_id" text NOT NULL,
	"generation" integer NOT NULL,
	"origin" text NOT NULL,
	"observations" text DEFAULT '' NOT NULL,
	"observation_tokens" integer DEFAULT 0 NOT NULL,
	"observed_through" bigint DEFAULT 0 NOT NULL,
	"last_observed_at" timestamp with time zone,
	"total_tokens_observed" bigint DEFAULT 0 NOT NULL,
	"buffered" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"buffered_reflection" text,
	"reflected_lines" integer,
	"work_token" text,
	"work_lease_until" timestamp with time zone,
	"work" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "observation_records_thread_id_generation_key" UNIQUE("thread_id","generation")
);
--> statement-breakpoint
CREATE TABLE "threads" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"realm" text NOT NULL,
	"external_id" text NOT NULL,
	"session_id" text,
	"title" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "threads_realm_external_id_key" UNIQUE("realm","external_id"),
	CONSTRAINT "threads_user_id_id_key" UNIQUE("user_id","id")
);
--> statement-breakpoint
ALTER TABLE "attachments" DROP CONSTRAINT "attachments_object_key_key";--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "tokens" integer;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "metadata" jsonb;--> statement-breakpoint
ALTER TABLE "observation_records" ADD CONSTRAINT "observation_records_user_id_thread_id_threads_user_id_id_fk" FOREIGN KEY ("user_id","thread_id") REFERENCES "public"."threads"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "threads" ADD CONSTRAINT "threads_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "threads" ADD CONSTRAINT "threads_user_id_session_id_sessions_user_id_id_fk" FOREIGN KEY ("user_id","session_id") REFERENCES "public"."sessions"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "threads_user_id_updated_at_idx" ON "threads" USING btree ("user_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "threads_realm_updated_at_idx" ON "threads" USING btree ("realm","updated_at","id");--> statement-breakpoint
CREATE INDEX "threads_session_id_idx" ON "threads" USING btree ("session_id");--> statement-breakpoint
CREATE INDEX "attachments_object_key_idx" ON "attachments" USING btree ("object_key");--> statement-breakpoint
CREATE INDEX "attachments_user_id_sha256_idx" ON "attachments" USING btree ("user_id","sha256");