"""Has MemorySync's own client use every method of the v1 data plane, as its documentation does."""

import asyncio
import os
import time

from memorysync import AsyncMemorySyncClient, MemorySyncClient
from memorysync.errors import AuthError, NotFoundError, ValidationError

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["API_KEY"]
ME = {"tenant_id": "acme", "user_id": "user_42"}
NS = ["memories", "user_42"]


def refused(error, work):
    try:
        work()
    except error as refusal:
        return refusal
    raise AssertionError(f"{error.__name__} expected")


def turns_are_learned_from(ms):
    said = dict(text="I always fly with the window seat.", role="user", session_id="thread-42")
    receipt = ms.add_turn(**ME, **said)
    assert receipt["status"] == "processing" and receipt["processing_status"] == "completed", receipt
    assert receipt["memory_id"] is None and receipt["request_id"], receipt
    again = ms.add_turn(**ME, **said)
    assert again["already_exists"] is True and again["processing_status"] == "skipped_replay", again
    answer = ms.add_turn(**ME, text="Noted.", role="assistant")
    assert answer["status"] == "ok" and answer["processing_status"] == "skipped_non_user_turn", answer
    assert ms.add_turn(**ME, text="thanks")["processing_status"] == "skipped_low_value"

    page = ms.list_memories(**ME, limit=10, offset=0)
    assert page["total"] == 1 and len(page["memories"]) == 1, page
    memory = page["memories"][0]
    assert memory["metadata"] == {"session_id": "thread-42"} and memory["source"] == "chat", memory
    recalled = ms.recall(**ME, prompt="Which seat should I book?", k=3, types=[memory["memory_type"], "unknown"])
    assert "window seat" in recalled["context"], recalled
    assert ms.recall(**ME, prompt="seat", types=["unknown"])["context"] == ""
    for _ in range(100):
        if ms.status(memory["id"])["status"] == "completed":
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the memory was never taken by the backend")


def transcripts_are_kept(ms):
    asked = dict(
        **ME,
        session_id="thread-42",
        source="my-app",
        turns=[
            {"role": "user", "content": "I prefer window seats.", "seq": 0},
            {"role": "assistant", "content": "Noted.", "seq": 1, "payload": {"type": "ai"}, "idempotency_key": "k1"},
        ],
    )
    first = ms.append_history(**asked)
    assert first["status"] == "ok" and len(first["request_ids"]) == 1, first
    assert [turn["created"] for turn in first["items"]] == [True, True], first
    again = ms.append_history(**asked)
    assert [turn["created"] for turn in again["items"]] == [False, False], again
    assert again["request_ids"] == [], again

    history = ms.list_history(**ME, session_id="thread-42")
    assert [(turn["role"], turn["content"]) for turn in history["items"]] == [
        ("user", "I prefer window seats."),
        ("assistant", "Noted."),
    ]
    assert history["total"] == 2 and history["items"][1]["payload"] == {"type": "ai"}, history
    assert ms.list_history(**ME, session_id="thread-42", source="other", limit=1) == {"items": [], "total": 0}

    gone = ms.delete_history(**ME, ids=[first["items"][0]["id"]], delete_derived_facts=True)
    assert gone["deleted_ids"] == [first["items"][0]["id"]] and len(gone["deleted_fact_ids"]) == 1, gone
    rest = ms.delete_history(**ME, session_id="thread-42")
    assert rest["deleted_ids"] == [first["items"][1]["id"]] and rest["deleted_fact_ids"] == [], rest


def state_is_kept(ms):
    item = dict(**ME, namespace=NS, key="diet", source="my-app")
    put = ms.put_state(**item, value={"diet": "vegan"})
    assert put["created"] is True and put["status"] == "ok" and put["request_id"] is None, put
    assert ms.put_state(**item, value={"diet": "vegan"})["created"] is False
    got = ms.get_state(**item)["item"]
    assert got["value"] == {"diet": "vegan"} and got["namespace"] == NS and got["text"] == '{"diet":"vegan"}', got
    assert ms.get_state(**ME, namespace=NS, key="diet")["item"] is None

    family = dict(item, key="family", text="My sister Zoe lives in Porto.", extract=True, metadata={"kind": "family"})
    told = ms.put_state(**family, value={"n": 1})
    assert told["request_id"], told
    replaced = ms.put_state(**family, value={"n": 2}, replace_derived_facts=True)
    assert len(replaced["deleted_fact_ids"]) == 1, replaced

    listed = ms.list_state(**ME, namespace_prefix=["memories"], source="my-app")
    assert [one["key"] for one in listed["items"]] == ["family", "diet"] and listed["total"] == 2, listed
    hits = ms.search_state(**ME, query="is the user vegan", namespace_prefix=["memories"], source="my-app")
    assert hits["items"][0]["key"] == "diet" and hits["items"][0]["score"] > 0, hits
    names = ms.list_state_namespaces(**ME, source="my-app", prefix=["memories"], max_depth=1)
    assert names["namespaces"] == [["memories"]], names

    assert ms.delete_state(**ME, namespace=NS, keys=[], source="my-app")["deleted_ids"] == []
    gone = ms.delete_state(**ME, namespace=NS, source="my-app", delete_derived_facts=True)
    assert len(gone["deleted_ids"]) == 2 and len(gone["deleted_fact_ids"]) == 1, gone


def faults_are_told(ms):
    unknown = refused(NotFoundError, lambda: ms.status(999_999_999))
    assert unknown.status_code == 404 and unknown.request_id, vars(unknown)
    refused(ValidationError, lambda: ms.recall(**ME, prompt="x", k=1000))
    refused(ValidationError, lambda: ms.add_turn(tenant_id="acme", user_id="", text="I like tea."))
    with MemorySyncClient(api_key="mgk_live_wrong", base_url=URL) as stranger:
        refused(AuthError, lambda: stranger.recall(**ME, prompt="x"))
    with MemorySyncClient(api_key=KEY, base_url=URL, end_user_id="somebody-else") as other:
        refused(ValidationError, lambda: other.recall(**ME, prompt="x"))


async def the_async_client_works_too():
    async with AsyncMemorySyncClient(api_key=KEY, base_url=URL) as ms:
        added = [
            ms.append_history(**ME, session_id="async", extract=False, turns=[{"role": "user", "content": "x", "seq": 1}])
            for _ in range(5)
        ]
        made = [answer["items"][0]["created"] for answer in await asyncio.gather(*added)]
        assert sorted(made) == [False] * 4 + [True], made
        await ms.put_state(**ME, namespace=["a"], key="k", value={})
        assert (await ms.get_state(**ME, namespace=["a"], key="k"))["item"]["value"] == {}
        assert (await ms.recall(**ME, prompt="window seat"))["memories"]


with MemorySyncClient(api_key=KEY, base_url=URL) as client:
    for check in (turns_are_learned_from, transcripts_are_kept, state_is_kept, faults_are_told):
        check(client)
asyncio.run(the_async_client_works_too())
print("all of it works")
