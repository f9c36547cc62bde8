"""MemorySync's own control-plane clients, sync and async, against a gateway; with a receiver that checks what webhooks send."""

import asyncio
import hashlib
import hmac
import inspect
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from memorysync import AsyncControlPlaneClient, ControlPlaneClient, MemorySyncClient
from memorysync.errors import AuthError, NotFoundError, ServerError, ValidationError

URL = os.environ["GATEWAY_URL"]
ADMIN_KEY = os.environ["ADMIN_KEY"]
PLAIN_KEY = os.environ["PLAIN_KEY"]
SPARE_KEY_IDS = json.loads(os.environ["SPARE_KEY_IDS"])

received = []
answers = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.append((dict(self.headers), body))
        self.send_response(answers.pop(0) if answers else 200)
        self.end_headers()
        self.wfile.write(b"seen")

    def log_message(self, *_):
        pass


def until(condition, what):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"It did not come to this: {what}")


async def until_async(make, what):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = await make()
        if found:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"It did not come to this: {what}")


async def call(result):
    return await result if inspect.isawaitable(result) else result


async def fails(error, make):
    try:
        await call(make())
    except error as failure:
        return failure
    raise AssertionError(f"no {error.__name__}")


def is_signed(hook, headers, body):
    timestamp = headers[hook["timestamp_header"]]
    digest = {"hmac-sha256": hashlib.sha256, "hmac-sha512": hashlib.sha512}[hook["signature_algorithm"]]
    expected = hmac.new(hook["secret"].encode(), f"{timestamp}.".encode() + body, digest).hexdigest()
    fresh = abs(time.time() - int(timestamp)) <= hook["signature_tolerance"]
    return fresh and hmac.compare_digest(expected, headers[hook["signature_header"]])


async def webhooks(control, receiver, user):
    types = await call(control.get_webhook_event_types())
    assert "memory.created" in types["event_types"] and "memory" in types["categories"], types
    hook = await call(
        control.create_webhook(
            "My hook",
            receiver,
            ["memory.created", "memory.queried"],
            description="For a test",
            retry_config={"max_retries": 1, "initial_delay_seconds": 1, "retry_status_codes": ["5xx"]},
            signature_config={"algorithm": "hmac-sha512", "tolerance_seconds": 120},
        )
    )
    number = hook["id"]
    assert isinstance(number, int) and hook["secret"].startswith(hook["secret_prefix"]), hook
    assert hook["enabled"] and hook["max_retries"] == 1 and hook["signature_tolerance"] == 120, hook
    listed = await call(control.list_webhooks())
    assert [one["id"] for one in listed["endpoints"]] == [number] and "secret" not in listed["endpoints"][0]
    assert await call(control.get_latest_webhook_delivery(number)) is None

    # An event of the application's own client arrives, signed.
    with MemorySyncClient(PLAIN_KEY, URL, project_id="demo", end_user_id=user) as memories:
        memory = memories.add("User prefers dark mode and concise responses.")
    headers, body = until(lambda: received and received[0], "a memory is told of")
    event = json.loads(body)
    assert event["type"] == "memory.created" and event["data"]["id"] == memory.id, event
    assert event["project_id"] == "demo" and event["end_user_id"] == user, event
    assert is_signed(hook, headers, body)

    async def latest(status):
        found = await call(control.get_latest_webhook_delivery(number))
        return found if found["status"] == status else None

    delivery = await until_async(lambda: latest("delivered"), "the delivery is done")
    assert delivery["event_id"] == event["id"] and delivery["status_code"] == 200, delivery
    assert delivery["payload"] == event and delivery["response_body"] == "seen", delivery
    assert delivery["completed_at"] and delivery["next_retry_at"] is None and delivery["attempt_number"] == 1
    assert (await call(control.get_webhook_delivery(delivery["id"]))) == delivery

    # Two refusals, and it is given up; then it is replayed, and tried anew.
    answers.extend([500, 503])
    test = await call(control.test_webhook(number, event_type="memory.queried"))
    assert test["endpoint_id"] == number and test["payload"]["id"] == test["event_id"], test
    dead = await until_async(lambda: latest("dead_letter"), "the test is given up")
    assert dead["id"] == test["delivery_id"] and dead["attempt_number"] == dead["max_attempts"] == 2, dead
    health = await call(control.get_webhook_health())
    assert health["dead_letter_count"] == 1 and health["total_deliveries_all_time"] == 2, health
    replay = await call(control.replay_webhook_deliveries(number))
    assert replay["eligible"] == replay["replayed"] == len(replay["delivery_ids"]) == 1, replay
    assert (await call(control.retry_webhook_delivery(dead["id"])))["status"] == "pending"

    async def all_delivered():
        page = await call(control.list_webhook_deliveries(number, page_size=10, status="delivered"))
        return page if page["total"] == 3 else None

    page = await until_async(all_delivered, "all is delivered")
    assert {one["event_id"] for one in page["deliveries"]} == {event["id"], test["event_id"]}
    recent = await call(control.list_recent_webhook_deliveries(endpoint_id=number, page=2, page_size=2))
    assert recent["total"] == 3 and len(recent["deliveries"]) == 1, recent

    # Changes.
    changed = await call(control.update_webhook(number, name="Renamed", retry_config={"enabled": False}))
    assert changed["name"] == "Renamed" and changed["retry_enabled"] is False and changed["max_retries"] == 1
    rotated = await call(control.rotate_webhook_secret(number))
    assert rotated["secret"] != hook["secret"]
    assert (await call(control.pause_webhook(number)))["enabled"] is False
    await fails(ValidationError, lambda: control.test_webhook(number))
    assert (await call(control.resume_webhook(number)))["enabled"] is True
    shown = await call(control.get_webhook(number))
    assert shown["total_deliveries"] == 3 and shown["success_rate"] == 1.0 and shown["last_success_at"], shown
    bound = await call(control.create_webhook("Bound", receiver, ["memory.created"], project_id="other"))
    assert bound["project_id"] == "other"
    assert len((await call(control.list_webhooks(project_id="other")))["endpoints"]) == 1
    await fails(ValidationError, lambda: control.create_webhook("x", receiver, ["no.such_event"]))
    for one in (number, bound["id"]):
        assert await call(control.delete_webhook(one)) is None
    failure = await fails(NotFoundError, lambda: control.get_webhook(number))
    assert failure.request_id and failure.status_code == 404, failure


async def account(control, spare):
    me = await call(control.me())
    assert me["role"] == "admin" and me["org"]["id"], me
    plan = await call(control.get_current_plan())
    assert plan["status"] == "active" and plan["plan"]["id"] == "unlimited", plan
    tested = await call(control.test_api_key(spare))
    assert tested["key_id"] == spare and tested["valid"] and tested["status"] == "active", tested
    revoked = await call(control.bulk_revoke_api_keys([spare, 2**40]))
    assert (revoked["revoked"], revoked["already_revoked"], revoked["not_found"]) == (1, 0, 1), revoked
    assert (await call(control.test_api_key(spare)))["status"] == "revoked"

    project = await call(control.create_project("My project"))
    assert (await call(control.rename_project(project["id"], "Ours")))["name"] == "Ours"
    assert (await call(control.archive_project(project["id"])))["archived_at"]
    assert (await call(control.unarchive_project(project["id"])))["archived_at"] is None
    assert project["id"] in [one["id"] for one in await call(control.list_projects())]
    assert await call(control.delete_project(project["id"])) is None

    for make in (
        lambda: control.login("ada@example.com", "secret"),
        lambda: control.signup("ada@example.com", "long enough", "Org"),
        lambda: control.list_sessions(),
        lambda: control.list_organizations(),
        lambda: control.list_integrations(),
        lambda: control.list_exports(),
    ):
        failure = await fails(ServerError, make)
        assert failure.status_code == 501 and failure.request_id, failure


async def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver = f"http://127.0.0.1:{server.server_port}/hook"
    for make, user, spare in (
        (ControlPlaneClient, "ada", SPARE_KEY_IDS[0]),
        (AsyncControlPlaneClient, "bob", SPARE_KEY_IDS[1]),
    ):
        received.clear()
        control = make(URL, access_token=ADMIN_KEY)
        await webhooks(control, receiver, user)
        await account(control, spare)
        plain = make(URL, access_token=PLAIN_KEY)
        assert (await fails(AuthError, lambda: plain.list_webhooks())).status_code == 403
        wrong = make(URL, access_token="mgk_live_wrong")
        assert (await fails(AuthError, lambda: wrong.me())).status_code == 401
        for client in (control, plain, wrong):
            await call(client.aclose() if hasattr(client, "aclose") else client.close())
    print("all well")


asyncio.run(main())
