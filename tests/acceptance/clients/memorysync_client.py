"""Every memory method of MemorySync's own client, sync and async, against a gateway."""

import asyncio
import inspect
import os
from datetime import datetime, timezone

from memorysync import (
    AddSkippedResponse,
    AsyncMemorySyncClient,
    AuthError,
    BatchUpdateItem,
    BulkAddItem,
    ForgetFilters,
    Memory,
    MemorySyncClient,
    NotFoundError,
    RateLimitError,
    ServerError,
    ValidationError,
)

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["API_KEY"]
LIMITED_KEY = os.environ["LIMITED_KEY"]
HURRIED_KEY = os.environ["HURRIED_KEY"]


async def call(result):
    return await result if inspect.isawaitable(result) else result


async def fails(error, make):
    try:
        await call(make())
    except error as failure:
        return failure
    raise AssertionError(f"no {error.__name__}")


async def scenario(make, user):
    client = make(KEY, URL, project_id="demo", end_user_id=user)

    # Adding, and what is skipped.
    memory = await call(
        client.add(
            "User prefers dark mode and concise responses.",
            source="chat",
            tags=["ui"],
            importance=0.8,
            session_id="s1",
            metadata={"conversation_id": "conv-123"},
        )
    )
    assert isinstance(memory, Memory), memory
    assert memory.id > 0 and memory.text == "User prefers dark mode and concise responses."
    assert memory.metadata == {"conversation_id": "conv-123"} and memory.tags == ["ui"]
    assert memory.importance == 0.8 and memory.source == "chat" and memory.is_summary is False
    again = await call(client.add("The user prefers dark mode and concise responses"))
    assert isinstance(again, AddSkippedResponse) and again.memory_ids == [memory.id], again
    first = await call(client.add("Her passport expires in March 2031", client_ref="row-1"))
    same_ref = await call(client.add("Her passport expires in March 2031!!", client_ref="row-1"))
    assert same_ref.reason == "already_ingested" and same_ref.memory_ids == [first.id]
    trivial = await call(client.add("thank you so much!"))
    assert isinstance(trivial, AddSkippedResponse) and trivial.memory_ids == [], trivial

    bulk = await call(
        client.bulk_add(
            [
                BulkAddItem(text="Her sister is called Emily", tags=["family"], client_ref="row-2"),
                BulkAddItem(text="Her passport expires in March 2031", client_ref="row-1"),
                BulkAddItem(text="short"),
                BulkAddItem(text="The other one lives in Rome", end_user_id=f"{user}-friend"),
            ]
        )
    )
    assert (bulk.total, bulk.created, bulk.skipped, bulk.rejected, bulk.unreported) == (4, 2, 1, 1, 0), bulk
    assert [one.status for one in bulk.results] == ["created", "skipped", "rejected", "created"]
    assert bulk.results[1].reason == "already_ingested" and bulk.results[2].reason
    sister = bulk.results[0].memory_ids[0]
    of_friend = bulk.results[3].memory_ids[0]

    # Finding and reading.
    found = await call(client.query("What response style does this user prefer?", k=5))
    assert found.memories[0].id == memory.id and 0 < found.memories[0].score <= 1, found
    assert memory.text in found.context and found.latency_ms >= 0
    filtered = await call(
        client.retrieve("sister", filters={"tags": ["family"], "since": "2020-01-01T00:00:00"}, session_id="s1")
    )
    assert [one.id for one in filtered.memories] == [sister] and filtered.session_id == "s1"
    assert (await call(client.get(sister))).text == "Her sister is called Emily"
    await fails(NotFoundError, lambda: client.get(of_friend))
    await fails(NotFoundError, lambda: client.get(999_999_999))

    # Changing.
    changed = await call(client.update(sister, tags=["family", "emily"], importance=0.9, metadata={"a": 1}))
    assert changed.tags == ["family", "emily"] and changed.importance == 0.9
    batch = await call(
        client.batch_update([BatchUpdateItem(memory_id=sister, source="import"), {"memory_id": of_friend, "tags": []}])
    )
    assert (batch.total, batch.updated, batch.not_found) == (2, 1, 1), batch
    assert batch.results[0].changed_fields == ["source"] and batch.results[1].status == "not_found"
    history = await call(client.history(sister))
    assert history.total == 3 and [one.event for one in history.revisions] == ["created", "updated", "updated"]
    assert history.revisions[2].diff["source"]["new"] == "import" and "tags" in history.tracked_fields
    feedback = await call(client.feedback(sister, "positive", comment="of use"))
    assert feedback.influenced_ranking and feedback.importance_after > feedback.importance_before
    assert feedback.summary.signal_counts["positive"] == 1

    # Relations, and what leads from one to another.
    relation = await call(client.create_relation(memory.id, to_memory_id=sister, relationship_type="supports"))
    assert (relation.from_memory_id, relation.to_memory_id) == (memory.id, sister) and relation.confidence == 1.0
    twice = lambda: client.create_relation(memory.id, to_memory_id=sister, relationship_type="supports")  # noqa: E731
    await fails(ValidationError, twice)
    near = await call(client.query("dark mode", k=1, traversal_depth=1))
    assert [one.id for one in near.memories] == [memory.id, sister], near
    graph = await call(client.graph(limit=50))
    assert relation.id in [edge["id"] for edge in graph["edges"]]
    assert (await call(client.graph(memory_id=memory.id, depth=1)))["nodes"]
    assert (await call(client.clusters(limit=5)))["clusters"] == []
    assert (await call(client.knowledge_stats()))["total_memories"] == 3

    # What contradicts.
    likes = await call(client.add("She likes strong coffee"))
    hates = await call(client.add("She does not like strong coffee"))
    (decision,) = (await call(client.decisions(limit=10)))["decisions"]
    assert [one["id"] for one in decision["memories"]] == [likes.id, hates.id]
    resolved = await call(client.resolve_decision(decision_id=decision["decision_id"], winning_memory_id=hates.id))
    assert resolved["archived_memory_id"] == likes.id
    assert (await call(client.decisions()))["decisions"] == []
    assert await call(client.forget([hates.id])) == [hates.id]

    # Ontology.
    ontology = await call(client.update_ontology(content_types=["recipe"]))
    assert "recipe" in ontology.content_types and ontology.custom_content_types == ["recipe"]
    assert (await call(client.get_ontology())).builtin_relation_types

    # Prompts and summaries.
    composed = await call(client.compose("What is her sister called?\n{{memories}}", recall_k=3, max_tokens=200))
    assert "Emily" in composed.composed_prompt and composed.memories_used > 0 and composed.token_count > 0
    summary = await call(client.summarize([memory.id, sister], lossless=True))
    assert summary.is_summary and "Emily" in summary.text and "dark mode" in summary.text
    assert isinstance(await call(client.summarize([memory.id, sister], lossless=True)), AddSkippedResponse)

    # Answers of the chat model.
    routed = await call(client.search_routed("What is her sister called?", k=3, include_reasoning=True))
    assert "Emily" in routed["answer"] and sister in [one["id"] for one in routed["memories"]], routed
    told = await call(client.synthesize(query="What is her sister called?", memory_ids=[memory.id, sister]))
    assert "Emily" in told["answer"] and told["memories_used"] == 2, told

    # Files.
    note = await call(
        client.upload(b"The bicycle is under warranty until May 2031.", filename="note.txt", metadata={"page": 1})
    )
    assert isinstance(note, Memory) and "bicycle" in note.text and note.metadata == {"page": 1}
    empty = await call(client.upload(b"", filename="empty.txt"))
    assert isinstance(empty, AddSkippedResponse) and empty.reason == "no_extractable_text"

    # All at once.
    exported = await call(client.export_all())
    assert exported.user_id > 0 and exported.generated_at and len(exported.memories) == 5, exported
    assert (await call(client.refresh()))["status"] == "accepted"

    # Forgetting.
    assert await call(client.forget([sister, of_friend])) == [sister]
    wide = ForgetFilters(before=datetime.now(timezone.utc).isoformat())
    would = await call(client.forget(filters=wide, dry_run=True))
    assert len(would) == 4
    assert sorted(await call(client.forget(filters=wide))) == sorted(would)
    assert (await call(client.export_all())).memories == []

    # What the gateway does not do, or not here.
    for make_call in (lambda: client.intelligence(), lambda: client.list_imports()):
        failure = await fails(ServerError, make_call)
        assert failure.request_id and failure.status_code == 501

    # Errors.
    failure = await fails(ValidationError, lambda: client.add("short"))
    assert failure.status_code == 422 and "10" in str(failure) and failure.request_id
    assert (await fails(AuthError, lambda: make("mgk_live_wrong", URL).get_ontology())).status_code == 401
    failure = await fails(ValidationError, lambda: make(KEY, URL, end_user_id=user).get(1))
    assert failure.status_code == 400 and failure.response["code"] == "PROJECT_ID_REQUIRED"
    failure = await fails(ValidationError, lambda: make(KEY, URL, project_id="demo").get(1))
    assert failure.response["error"]["code"] == "MISSING_END_USER_ID"

    # Over a quota: adds answer as if all were well, and a rate that is too high does not.
    limited = make(LIMITED_KEY, URL, project_id="demo", end_user_id=user)
    over = await call(limited.add("She plays the violin on Sundays"))
    assert isinstance(over, AddSkippedResponse) and over.reason == "quota_exhausted", over
    assert (await call(limited.bulk_add([BulkAddItem(text="She plays the violin on Sundays")]))).unreported == 1
    assert (await call(limited.query("violin"))).memories == []
    hurried = make(HURRIED_KEY, URL, project_id="demo", end_user_id=user)
    failure = await fails(RateLimitError, lambda: hurried.get_ontology())
    assert 0 < failure.retry_after_seconds <= 60 and failure.status_code == 429

    if inspect.iscoroutinefunction(getattr(client, "aclose", None)):
        await client.aclose()
    else:
        client.close()


asyncio.run(scenario(MemorySyncClient, "sync-user"))
asyncio.run(scenario(AsyncMemorySyncClient, "async-user"))
print("all well")
