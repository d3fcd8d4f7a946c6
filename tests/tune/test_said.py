"""General examples as files have them, and the lessons that they become."""

import json
from pathlib import Path
from typing import Any

import pytest
from byte_tokenizer import CHATML, MARKS, byte_tokenizer

from noria.errors import DataError
from noria.tune.render import Renderer
from noria.tune.replay import lessons_by
from noria.tune.said import Said, from_file, is_text
from noria.types import Message

STORY = "The wheel lifts water to the fields of the village every morning before sunrise. " * 4


def test_a_file_of_chats_in_an_order_drawn_by_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    records: list[dict[str, Any]] = [
        {"prompt": f"Tell me of thing {n}.", "response": f"Thing {n} is good."} for n in range(20)
    ]
    records[0] = {"instruction": "Sum up.", "context": "A long tale.", "response": "A tale."}
    records[1] = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "So."},
        ]
    }
    path.write_text("\n".join(map(json.dumps, records)))
    found, problems = from_file(path, seed=1)
    assert (len(found), problems) == (20, ())
    assert found == from_file(path, seed=1)[0] != from_file(path, seed=2)[0]
    known = {each.response: each for each in found}
    assert known["A tale."].chat == (Message("user", "A long tale.\n\nSum up."),)
    assert [turn.role for turn in known["So."].chat] == ["system", "user"]
    reader = byte_tokenizer(CHATML, MARKS)
    made = lessons_by(Renderer(reader, 500), reader, 500)(known["So."])
    assert made.id.startswith("replay/")
    assert reader.decode(made.after) == "So.<|end|>"


@pytest.mark.parametrize("name", ["tales.txt", "tales.jsonl"])
def test_running_texts_are_continued(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = STORY + "Nobody knows who built it."
    path.write_text(text if name.endswith("txt") else json.dumps({"text": text}))
    found, problems = from_file(path)
    assert (found, problems) == ([Said((), text)], ())
    reader = byte_tokenizer(CHATML, MARKS, starts=True)
    made = lessons_by(Renderer(reader, 120), reader, 120)(found[0])
    assert reader.decode(made.before) == "<s>The"  # as whoever scores a text reads it
    assert reader.decode(made.after) == text[3 : 3 + 120 - 4]  # of a long text the beginning
    assert made.length == 120


def test_a_table_of_labels_is_no_text(tmp_path: Path) -> None:
    labels, texts = tmp_path / "labels.jsonl", tmp_path / "texts.jsonl"
    labels.write_text('{"text": "My card is gone.", "label": "lost card"}\n')
    texts.write_text('{"text": "The wheel turns.", "url": "https://example.org"}\n')
    assert (is_text(labels), is_text(texts)) == (False, True)
    with pytest.raises(DataError, match="nothing that can be used"):
        from_file(texts)  # too short to be read
