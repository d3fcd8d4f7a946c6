"""Ask Noria as any client of OpenAI's does, and say what you think of the answer."""

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

thumb = {"answer": told.id, "kind": "thumb", "value": 1, "user": "me"}
print(httpx.post(f"{SERVER}/v1/feedback", json=thumb).raise_for_status().json())
