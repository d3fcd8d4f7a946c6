"""Ask Noria as any client of OpenAI's does, and say what it should have answered."""

import httpx
from openai import OpenAI

SERVER = "http://127.0.0.1:8000"

client = OpenAI(base_url=f"{SERVER}/v1", api_key="none")
question = "Who built the Toll Gate?"
told = client.chat.completions.create(
    model="noria", user="me", messages=[{"role": "user", "content": question}]
)
print(question, told.choices[0].message.content)
for citation in told.noria["citations"]:
    print(f"  {citation['document']}: {citation['quote']!r}")

# The plain model often takes its answer from the wrong document: tell it the right one.
better = {"answer": told.id, "kind": "correction", "text": "Dan Whitlock", "user": "me"}
print(httpx.post(f"{SERVER}/v1/feedback", json=better).raise_for_status().json())
