"""Uses OpenAI's Python client against a gateway, or with MODE=model against the test model itself; fails at the first answer that is not right."""

import asyncio
import base64
import json
import os
import uuid

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

BASE = os.environ["BASE_URL"]
KEY = os.environ["API_KEY"]
MODE = os.environ["MODE"]
MODEL = os.environ["MODEL"]
PICTURE = os.environ["PICTURE"]
IN_THREAD = MODE == "thread"


class Person(BaseModel):
    name: str
    languages: list[str]


def thread_headers():
    if not IN_THREAD:
        return {}
    return {"x-thread-id": f"thread-{uuid.uuid4()}", "x-resource-id": f"user-{uuid.uuid4()}"}


def connect(kind=OpenAI, key=KEY, headers=None):
    headers = thread_headers() if headers is None else headers
    return kind(base_url=BASE, api_key=key, default_headers=headers, max_retries=0)


def user(content):
    return [{"role": "user", "content": content}]


def expect_error(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, error
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def chat():
    client = connect()
    ask = lambda text: client.chat.completions.create(model=MODEL, messages=user(text))
    assert "test-model" in ask("Hello World!").choices[0].message.content
    ask("My name is Alex and I prefer concise answers.")
    answer = ask("What is my name?").choices[0].message.content
    assert answer == ("Alex" if IN_THREAD else "I do not know."), answer


def stream():
    client = connect()
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=user("Repeat: one two three four"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "one two three four", text
    assert chunks[-1].usage.completion_tokens > 0
    with client.chat.completions.stream(model=MODEL, messages=user("Repeat: five six")) as events:
        assert events.get_final_completion().choices[0].message.content == "five six"


def tools():
    client = connect()
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    messages = user("What is the weather in Oslo and Rome?")
    asked = client.chat.completions.create(model=MODEL, messages=messages, tools=[tool])
    message = asked.choices[0].message
    assert [json.loads(call.function.arguments)["city"] for call in message.tool_calls] == ["Oslo", "Rome"]
    # Within a thread the conversation so far may be sent again, and only what is new.
    results = [{"role": "tool", "tool_call_id": call.id, "content": "Sunny."} for call in message.tool_calls]
    whole = messages + [message.model_dump(exclude_none=True)] + results
    told = client.chat.completions.create(model=MODEL, messages=whole, tools=[tool])
    assert told.choices[0].message.content == "The tools say: Sunny. Sunny.", told


def structured():
    parsed = connect().chat.completions.parse(
        model=MODEL, messages=user("My name is Alex. Who is this?"), response_format=Person
    )
    assert parsed.choices[0].message.parsed.name == "Alex", parsed


def picture():
    with open(PICTURE, "rb") as file:
        data = file.read()
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    content = [{"type": "text", "text": "What is in this picture?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = connect().chat.completions.create(model=MODEL, messages=user(content)).choices[0].message.content
    assert answer == f"I see 1 picture (image/png, {len(data)} bytes).", answer


def responses():
    client = connect()
    assert client.responses.create(model=MODEL, input="Repeat: one two").output_text == "one two"
    with client.responses.stream(model=MODEL, input="Repeat: three four") as events:
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == "three four", deltas
        assert events.get_final_response().output_text == "three four"
    parsed = client.responses.parse(model=MODEL, input="My name is Alex. Who is this?", text_format=Person)
    assert parsed.output_parsed.name == "Alex", parsed


def models():
    assert MODEL in [model.id for model in connect().models.list()]


def errors():
    hello = user("Hello World!")
    create = lambda client, **more: client.chat.completions.create(**{"model": MODEL, "messages": hello, **more})
    # Refused by the provider; the gateway passes it on.
    no_call = {"role": "tool", "tool_call_id": "call_none", "content": "x"}
    expect_error(openai.BadRequestError, 400, lambda: create(connect(), messages=hello + [no_call]))
    if MODE == "model":
        return
    expect_error(openai.AuthenticationError, 401, lambda: create(connect(key="mgk_live_" + "x" * 43)))
    expect_error(openai.BadRequestError, 400, lambda: create(connect(headers={"x-thread-id": "alone"})))
    if IN_THREAD:
        headers = thread_headers()
        create(connect(headers=headers))
        stranger = {**headers, "x-resource-id": "somebody-else"}
        expect_error(openai.NotFoundError, 404, lambda: create(connect(headers=stranger)))


async def asynchronous():
    client = connect(AsyncOpenAI)
    first = await client.chat.completions.create(model=MODEL, messages=user("My name is Alex."))
    assert first.choices[0].message.content == "Nice to meet you, Alex."
    question = user("What is my name?")
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=question)
    assert raw.parse().choices[0].message.content == ("Alex" if IN_THREAD else "I do not know.")
    assert raw.headers.get("x-memory-status") == ("used" if IN_THREAD else None), raw.headers
    streamed = await client.chat.completions.create(model=MODEL, messages=user("Repeat: one two"), stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in streamed if chunk.choices]
    assert "".join(pieces) == "one two", pieces


for check in (chat, stream, tools, structured, picture, responses, models, errors):
    check()
asyncio.run(asynchronous())
print("all well")
