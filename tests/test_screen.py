"""What people see while they wait."""

from noria.screen import Bar


def test_without_a_terminal_a_long_job_says_now_and_then_how_far_it_is(capsys) -> None:
    seconds = iter([0, 1, 20, 31, 45, 62])
    bar = Bar(clock=lambda: float(next(seconds)))
    for done in (0, 10, 15, 20, 30):
        bar("rag", done, 100)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == ["rag: 15 of 100, 170 s to go", "rag: 30 of 100, 142 s to go"]


def test_the_same_done_once_more_is_timed_anew(capsys) -> None:
    seconds = iter([0, 0, 10, 500, 540])
    bar = Bar(clock=lambda: float(next(seconds)))
    bar("rag", 1, 10)
    bar("rag", 10, 10)
    bar("rag", 2, 10)  # 490 seconds of other work later
    bar("rag", 6, 10)
    assert capsys.readouterr().err.splitlines() == [
        "rag: 2 of 10",
        "rag: 6 of 10, 40 s to go",
    ]
