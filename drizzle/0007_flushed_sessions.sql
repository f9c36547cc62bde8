-- What an older version had extracted was flushed.
INSERT INTO "engine_sessions" ("project_id", "sender_id", "session_id", "flushed_through")
SELECT "project_id", "sender_id", "session_id", max("timestamp") FROM "engine_messages" WHERE "content" IS NULL
GROUP BY "project_id", "sender_id", "session_id"
ON CONFLICT DO NOTHING;
