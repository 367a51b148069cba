"""An unmodified OpenAI client for Python, pointed at a sidecar: its base URL is the first argument."""

import sys

from openai import APIStatusError, OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0)
messages = [{"role": "user", "content": "Say hello — ünïcödé 🙂."}]

models = {model.id for model in client.models.list()}
assert "sim-small" in models, models

answer = client.chat.completions.create(model="sim-small", messages=messages, max_tokens=20)
assert "[simulated]" in answer.choices[0].message.content, answer
assert answer.usage.completion_tokens > 0, answer

raw = client.chat.completions.with_raw_response.create(model="sim-small", messages=messages, max_tokens=5)
assert raw.headers["x-autopay-receipt"], dict(raw.headers)

parts = client.chat.completions.create(
    model="sim-small", messages=messages, max_tokens=20, stream=True, stream_options={"include_usage": True}
)
text, usage = "", None
for chunk in parts:
    usage = chunk.usage or usage
    for choice in chunk.choices:
        text += choice.delta.content or ""
assert "[simulated]" in text, text
assert usage.completion_tokens > 0, usage

try:
    client.chat.completions.create(model="no-such-model", messages=messages)
    raise SystemExit("a model that does not exist was answered")
except APIStatusError as error:
    assert (error.status_code, error.code) == (404, "model_not_found"), error

print("python: models, JSON, raw headers, stream with usage and an error, all through the sidecar")
