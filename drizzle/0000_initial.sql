CREATE TABLE "accounts" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attachments" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"batch_id" text,
	"message_id" text,
	"upload_id" text NOT NULL,
	"object_key" text NOT NULL,
	"uri" text NOT NULL,
	"kind" text NOT NULL,
	"mime_type" text NOT NULL,
	"ext" text NOT NULL,
	"name" text NOT NULL,
	"size" bigint NOT NULL,
	"sha256" text NOT NULL,
	"state" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "attachments_object_key_key" UNIQUE("object_key"),
	CONSTRAINT "attachments_user_id_id_key" UNIQUE("user_id","id")
);
--> statement-breakpoint
CREATE TABLE "batches" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"session_id" text,
	"action" text NOT NULL,
	"state" text NOT NULL,
	"position" bigint,
	"attempts" integer DEFAULT 0 NOT NULL,
	"reason" text,
	"upstream_request_id" text,
	"settles_at" timestamp with time zone,
	"open_since" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "batches_user_id_id_key" UNIQUE("user_id","id")
);
--> statement-breakpoint
CREATE TABLE "engine_memories" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"sender_id" text NOT NULL,
	"session_id" text NOT NULL,
	"timestamp" bigint NOT NULL,
	"passage" integer NOT NULL,
	"subject" text NOT NULL,
	"body" text NOT NULL,
	"length" integer NOT NULL,
	"terms" "tsvector" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "engine_messages" (
	"project_id" text NOT NULL,
	"sender_id" text NOT NULL,
	"session_id" text NOT NULL,
	"timestamp" bigint NOT NULL,
	"content" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "engine_messages_pkey" PRIMARY KEY("project_id","sender_id","session_id","timestamp")
);
--> statement-breakpoint
CREATE TABLE "extractions" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"session_id" text NOT NULL,
	"after_timestamp" bigint NOT NULL,
	"through_timestamp" bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "extractions_session_id_through_timestamp_key" UNIQUE("session_id","through_timestamp")
);
--> statement-breakpoint
CREATE TABLE "messages" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"session_id" text NOT NULL,
	"batch_id" text NOT NULL,
	"position" integer NOT NULL,
	"role" text NOT NULL,
	"sender_id" text NOT NULL,
	"sender_name" text,
	"timestamp" bigint NOT NULL,
	"upstream_timestamp" bigint NOT NULL,
	"content" jsonb NOT NULL,
	"tool_calls" jsonb,
	"tool_call_id" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "messages_user_id_id_key" UNIQUE("user_id","id"),
	CONSTRAINT "messages_session_id_upstream_timestamp_key" UNIQUE("session_id","upstream_timestamp")
);
--> statement-breakpoint
CREATE TABLE "scopes" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"app_id" text NOT NULL,
	"project_id" text NOT NULL,
	"upstream_project_id" text NOT NULL,
	"upstream_sender_id" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "scopes_upstream_project_id_key" UNIQUE("upstream_project_id"),
	CONSTRAINT "scopes_user_id_app_id_project_id_key" UNIQUE("user_id","app_id","project_id"),
	CONSTRAINT "scopes_user_id_id_key" UNIQUE("user_id","id")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"scope_id" text NOT NULL,
	"external_id" text,
	"kind" text NOT NULL,
	"upstream_session_id" text NOT NULL,
	"last_upstream_timestamp" bigint DEFAULT 0 NOT NULL,
	"extracted_through" bigint DEFAULT 0 NOT NULL,
	"relay_token" text,
	"relay_lease_until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_activity_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	"forgotten_at" timestamp with time zone,
	CONSTRAINT "sessions_upstream_session_id_key" UNIQUE("upstream_session_id"),
	CONSTRAINT "sessions_scope_id_external_id_key" UNIQUE("scope_id","external_id"),
	CONSTRAINT "sessions_user_id_id_key" UNIQUE("user_id","id")
);
--> statement-breakpoint
CREATE TABLE "user_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"hash" text NOT NULL,
	"prefix" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "user_resources" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"session_id" text NOT NULL,
	"attachment_id" text NOT NULL,
	"title" text,
	"description" text,
	"status" text NOT NULL,
	"error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "user_resources_session_id_key" UNIQUE("session_id")
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"external_id" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_account_id_external_id_key" UNIQUE("account_id","external_id")
);
--> statement-breakpoint
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_user_id_batch_id_batches_user_id_id_fk" FOREIGN KEY ("user_id","batch_id") REFERENCES "public"."batches"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_user_id_message_id_messages_user_id_id_fk" FOREIGN KEY ("user_id","message_id") REFERENCES "public"."messages"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "batches" ADD CONSTRAINT "batches_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "batches" ADD CONSTRAINT "batches_user_id_session_id_sessions_user_id_id_fk" FOREIGN KEY ("user_id","session_id") REFERENCES "public"."sessions"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "extractions" ADD CONSTRAINT "extractions_user_id_session_id_sessions_user_id_id_fk" FOREIGN KEY ("user_id","session_id") REFERENCES "public"."sessions"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_user_id_session_id_sessions_user_id_id_fk" FOREIGN KEY ("user_id","session_id") REFERENCES "public"."sessions"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_user_id_batch_id_batches_user_id_id_fk" FOREIGN KEY ("user_id","batch_id") REFERENCES "public"."batches"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "scopes" ADD CONSTRAINT "scopes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_scope_id_scopes_user_id_id_fk" FOREIGN KEY ("user_id","scope_id") REFERENCES "public"."scopes"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_keys" ADD CONSTRAINT "user_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_resources" ADD CONSTRAINT "user_resources_user_id_session_id_sessions_user_id_id_fk" FOREIGN KEY ("user_id","session_id") REFERENCES "public"."sessions"("user_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_resources" ADD CONSTRAINT "user_resources_user_id_attachment_id_attachments_user_id_id_fk" FOREIGN KEY ("user_id","attachment_id") REFERENCES "public"."attachments"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "attachments_message_id_idx" ON "attachments" USING btree ("message_id");--> statement-breakpoint
CREATE INDEX "attachments_batch_id_idx" ON "attachments" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "attachments_state_updated_at_idx" ON "attachments" USING btree ("state","updated_at");--> statement-breakpoint
CREATE INDEX "batches_session_id_state_position_idx" ON "batches" USING btree ("session_id","state","position");--> statement-breakpoint
CREATE INDEX "batches_state_updated_at_idx" ON "batches" USING btree ("state","updated_at");--> statement-breakpoint
CREATE INDEX "engine_memories_partition_idx" ON "engine_memories" USING btree ("project_id","sender_id","session_id","timestamp");--> statement-breakpoint
CREATE INDEX "engine_memories_terms_idx" ON "engine_memories" USING gin ("terms") WITH (fastupdate=false);--> statement-breakpoint
CREATE INDEX "engine_messages_buffered_idx" ON "engine_messages" USING btree ("project_id","sender_id","session_id","timestamp") WHERE content is not null;--> statement-breakpoint
CREATE INDEX "messages_batch_id_idx" ON "messages" USING btree ("batch_id");--> statement-breakpoint
CREATE INDEX "sessions_scope_id_last_activity_at_idx" ON "sessions" USING btree ("scope_id","last_activity_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "user_keys_hash_key" ON "user_keys" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "user_keys_user_id_idx" ON "user_keys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "user_resources_user_id_created_at_idx" ON "user_resources" USING btree ("user_id","created_at","id");--> statement-breakpoint
INSERT INTO "accounts" ("id", "name") VALUES ('default', 'Native API');
