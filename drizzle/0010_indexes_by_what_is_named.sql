ALTER TABLE "attachments" DROP CONSTRAINT "attachments_user_id_message_id_messages_user_id_id_fk";--> statement-breakpoint
ALTER TABLE "messages" DROP CONSTRAINT "messages_user_id_id_key";--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_id_user_id_key" UNIQUE("id","user_id");--> statement-breakpoint
ALTER TABLE "attachments" ADD CONSTRAINT "attachments_user_id_message_id_messages_user_id_id_fk" FOREIGN KEY ("user_id","message_id") REFERENCES "public"."messages"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
DROP INDEX "engine_memories_content_idx";--> statement-breakpoint
CREATE INDEX "engine_memories_hash_idx" ON "engine_memories" USING btree ("content_hash","project_id","sender_id") WHERE content_hash is not null;