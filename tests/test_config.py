import pytest

from noria.config import Settings, Stage, load, parse, read
from noria.errors import ConfigError


def test_defaults_need_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NORIA_HOME", raising=False)
    settings = load()
    assert settings == Settings()
    assert settings.home.name == ".noria"
    assert settings.funnel.answers.retrieve == Stage("hybrid", {"k": 100})


def test_every_table_and_kind_of_value() -> None:
    settings = parse(
        {
            "models": {"generator": "file:a.gguf", "parallel": 2, "sha256": {"a.gguf": "ff"}},
            "corpus": {"languages": ["de", "en"]},
            "answer": {"abstain_below": 1},
            "store": {"url": "sqlite:///x.db"},
            "funnel": {
                "answers": {
                    "filter": [{"kind": "groups"}, {"kind": "fields", "lang": "en"}],
                    "order": {"kind": "score", "k": 7},
                }
            },
        }
    )
    assert (settings.models.generator, settings.models.parallel) == ("file:a.gguf", 2)
    assert settings.models.sha256 == {"a.gguf": "ff"}
    assert settings.corpus.languages == ("de", "en")
    assert settings.answer.abstain_below == 1.0
    assert type(settings.answer.abstain_below) is float
    assert settings.store.url == "sqlite:///x.db"
    answers = settings.funnel.answers
    assert answers.filter == (Stage("groups"), Stage("fields", {"lang": "en"}))
    assert answers.order == Stage("score", {"k": 7})
    assert answers.retrieve.kind == "hybrid"  # what is not said stays


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"modles": {}}, "unknown key 'modles'; did you mean 'models'"),
        ({"home": "x"}, "unknown key 'home'"),
        ({"zzz": 1}, "known: answer, arms, canary, corpus, funnel, models, serve, store, turn"),
        ({"models": {"generater": "x"}}, "models: unknown key 'generater'; did you mean"),
        ({"models": 3}, "models: expected a table, got 3"),
        ({"models": {"threads": "4"}}, "models.threads: expected a whole number, got '4'"),
        ({"models": {"threads": True}}, "models.threads: expected a whole number, got True"),
        ({"models": {"threads": 1.5}}, "models.threads: expected a whole number, got 1.5"),
        ({"models": {"generator": 4}}, "models.generator: expected a string, got 4"),
        ({"models": {"sha256": []}}, "models.sha256: expected a table"),
        ({"models": {"sha256": {"a": 1}}}, "models.sha256.a: expected a string, got 1"),
        ({"corpus": {"languages": "en"}}, "corpus.languages: expected a list, got 'en'"),
        ({"corpus": {"languages": ["en", 3]}}, r"corpus.languages\[1\]: expected a string, got 3"),
        ({"corpus": {"passage_tokens": 3}}, "corpus.passage_tokens: expected 16 to 100000, got 3"),
        ({"answer": {"abstain_below": 2}}, "answer.abstain_below: expected 0.0 to 1.0, got 2"),
        ({"answer": {"abstain_below": float("nan")}}, "answer.abstain_below: expected"),
        ({"answer": {"abstain_below": "x" * 500}}, "a number, got 'x{50,60}…$"),
        ({"funnel": {"feed": {}}}, "funnel: unknown key 'feed'"),
        ({"funnel": {"answers": {"rank": "none"}}}, 'funnel.answers.rank: expected { kind = "…"'),
        ({"funnel": {"answers": {"filter": [{}]}}}, r"funnel.answers.filter\[0\]: expected { kind"),
    ],
)
def test_errors_say_where_and_what(table, message) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(table)


def test_a_file_is_read_and_home_lies_beside_it(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("NORIA_HOME", raising=False)
    file = tmp_path / "noria.toml"
    file.write_text("[corpus]\npassage_tokens = 99\n")
    assert load(file).corpus.passage_tokens == 99
    assert load(file).home == tmp_path / ".noria"
    monkeypatch.chdir(tmp_path)
    assert load().corpus.passage_tokens == 99


def test_home_the_argument_the_variable_the_file(tmp_path, monkeypatch) -> None:
    file = tmp_path / "noria.toml"
    file.write_text("")
    monkeypatch.setenv("NORIA_HOME", str(tmp_path / "variable"))
    assert load(file).home == tmp_path / "variable"
    assert load(file, tmp_path / "argument").home == tmp_path / "argument"
    monkeypatch.setenv("NORIA_HOME", "")
    assert load(file).home == tmp_path / ".noria"


def test_a_missing_file_that_was_named_is_an_error(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file; 'noria init' writes one"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[models", "not a TOML file"),
        (b'a = "\xff"', "not a TOML file"),
        (b"[models]\nthreads = -1\n", r"noria\.toml: models\.threads: expected 0 to 4096, got -1"),
    ],
)
def test_errors_name_the_file(content, message, tmp_path) -> None:
    file = tmp_path / "noria.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read(file)


def test_a_folder_is_no_file(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path)
