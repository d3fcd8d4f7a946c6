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
