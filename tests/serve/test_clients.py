"""A second client of the protocol, not OpenAI's own (which ``stories/test_serving.py`` uses).

Hugging Face's has its own HTTP and its own idea of a response, and comes with transformers.
"""

from collections.abc import Callable

import pytest
from listening import listening
from test_chats import QUESTION, from_the_passage

from served import Served

MESSAGES = [{"role": "user", "content": QUESTION}]


def test_hugging_faces_client_asks(
    serving: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import InferenceClient, close_session
    from huggingface_hub.errors import HfHubHTTPError

    # all tests are offline, which this client takes to mean this machine, too
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    close_session()
    at = serving(from_the_passage)
    with listening(at) as port:
        client = InferenceClient(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
        whole = client.chat_completion(MESSAGES, model="noria", max_tokens=50)
        assert whole.choices[0].message.content == "Ada dug the well."
        assert whole.usage.total_tokens > 0
        assert whole["noria"]["citations"][0]["document"] == "wells.md"
        pieces = list(client.chat_completion(MESSAGES, model="noria", stream=True))
        told = [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]
        assert "".join(told) == "Ada dug the well."
        assert pieces[-1].choices[0].finish_reason == "stop"
        with pytest.raises(HfHubHTTPError, match="404"):
            client.chat_completion(MESSAGES, model="gpt-9")
        close_session()
