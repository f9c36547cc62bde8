"""Uses each method of the `memorystack` client against a running gateway, and fails at the first answer that it cannot use."""

import base64
import os

from memorystack import (
    AuthenticationError,
    Message,
    MemoryStackClient,
    NotFoundError,
    RateLimitError,
    ValidationError,
)

BASE = os.environ["BASE_URL"]
KEY = os.environ["API_KEY"]


def connect(key=KEY, **more):
    return MemoryStackClient(api_key=key, base_url=BASE, max_retries=0, **more)


def expect_error(kind, call, status):
    try:
        call()
    except kind as error:
        assert error.status_code == status, (error.status_code, error.message)
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


client = connect()

# add: text, a conversation, message objects, files
one = client.add("User prefers dark mode")
assert one.success and one.memories_created == 1 and len(one.memory_ids) == 1, one
assert one.owner_id and one.user_id is None
two = client.add(
    [{"role": "user", "content": "I love TypeScript"}, {"role": "assistant", "content": "TypeScript is great!"}],
    user_id="user_123",
    metadata={"source": "chat", "session_id": "sess_xyz", "team_id": "web"},
)
assert two.memories_created == 2 and two.user_id == "user_123", two
assert client.create_memory([Message(role="user", content="I prefer coffee over tea")]).memories_created == 1
assert client.add_conversation("I work in Lisbon", "Nice!", user_id="user_123").success
assert client.add_message("I have two cats", user_id="user_123").memories_created == 1
with open("tests/simple-multimodal-image.png", "rb") as file:
    picture = base64.b64encode(file.read()).decode()
shown = client.add(
    [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "I love this logo"},
                {"type": "image", "data": picture, "mimeType": "image/png"},
            ],
        }
    ]
)
assert client.get_memory(shown.memory_ids[0]).source_type == "image"

# list: whose, filters, pages
page = client.list_memories(user_id="user_123", limit=2, order="asc")
assert page.success and page.count == 2 and page.next_cursor, page
assert page.results[0].end_user_id == "user_123" and page.results[0]["metadata"] == {"source": "chat"}
rest = client.list_memories(user_id="user_123", cursor=page.next_cursor, order="asc")
ids = [memory.id for memory in page.results + rest.results]
assert len(set(ids)) == len(ids) >= 4 and rest.next_cursor is None
assert client.get_all_memories(limit=100).count > client.get_personal_memories(limit=100).count > 0
assert client.get_user_memories("user_123").count == len(ids)
assert all(m.confidence >= 0.5 for m in client.list_memories(min_confidence=0.5).results)
assert all(m.memory_type == "preference" for m in client.list_memories(memory_type="preference").results)
assert client.list_memories(include_embedding=True).results[0].embedding is None

# search
found = client.search("dark mode preferences")
assert found["success"] and found["results"][0]["content"], found
assert client.search("TypeScript", user_id="user_123", limit=1)["count"] == 1
assert client.search("TypeScript", user_id="user_123", session_id="sess_xyz", team_id="web")["count"] >= 1
assert client.search("TypeScript", user_id="user_123", session_id="another")["count"] == 0
assert client.search_memories("dark mode", mode="text")["success"]

# one memory
memory_id = one.memory_ids[0]
updated = client.update_memory(
    memory_id, content="User prefers light mode", memory_type="preference", confidence=0.5, metadata={"a": 1}
)
assert updated.content == "User prefers light mode" and updated.confidence == 0.5 and updated.metadata == {"a": 1}
assert client.get_memory(memory_id).content == updated.content
assert client.delete_memory(memory_id) == {"success": True, "deleted_count": 1, "hard_delete": False}
expect_error(NotFoundError, lambda: client.get_memory(memory_id), 404)
assert client.delete_memory(memory_id, hard=True)["hard_delete"] is True
expect_error(NotFoundError, lambda: client.delete_memory(memory_id), 404)
assert client.delete_memories(two.memory_ids, hard=True)["deleted_count"] == 2

# agents
agent = connect(agent_name="support-agent", agent_type="support", session_id="s1")
added = agent.add("I need my invoices by e-mail", user_id="user_123", team_id="care")
assert added.agent_id == "support-agent" and added.project_id, added
own = agent.list_agent_memories(include_team=False, include_project=False)
assert [memory.id for memory in own["data"]] == added.memory_ids, own
assert len(agent.list_agent_memories(limit=100)["data"]) > len(own["data"])

# upkeep
for place in ("Lisbon", "Porto", "Faro"):
    client.add(f"I want a quiet hotel room in {place}")
assert client.reflect_on_memories(dry_run=True)["success"]
assert client.reflect_on_memories(time_window_days=90, analysis_depth="deep", min_pattern_strength=0.5)["success"]
client.import_memories([{"content": "Owns a red bike", "memory_type": "fact"}, {"content": "Owns a red bike"}])
assert client.consolidate_memories(similarity_threshold=0.99, dry_run=True)["duplicates_found"] >= 1
assert client.consolidate_memories()["memories_merged"] >= 1
assert client.get_auto_maintenance_config()["config"]["reflection_enabled"] is False
config = client.update_auto_maintenance_config(reflection_enabled=True, reflection_frequency="daily")["config"]
assert config["reflection_enabled"] is True and config["reflection_frequency"] == "daily"
client.update_auto_maintenance_config(reflection_enabled=False)

# import and export
exported = client.export_memories()
assert exported["count"] == len(exported["memories"]) > 0
assert client.import_memories(exported["memories"])["imported"] == exported["count"]
assert client.export_memories(format="csv", user_id="user_123")["data"].startswith("id,end_user_id,content")

# the project at a glance
stats = client.get_stats()
assert stats.success and stats.totals["total_memories"] > 0 and stats.usage["current_month_api_calls"] > 0, stats
assert stats.storage["total_storage_bytes"] > 0
graph = client.get_graph()
assert {node.type for node in graph.nodes} == {"owner", "enduser", "memory"} and graph.links

# errors
expect_error(AuthenticationError, lambda: connect("wrong").list_memories(), 401)
error = expect_error(ValidationError, lambda: client.search("x", mode="psychic"), 400)
assert error.details["fieldErrors"]["mode"], error.details
limited = connect(os.environ["LIMITED_KEY"])
limited.list_memories()
error = expect_error(RateLimitError, limited.list_memories, 429)
assert error.message == "Monthly API limit exceeded" and (error.limit, error.remaining) == (1, 0) and error.reset

print("memorystack: all methods work")
