import subprocess
import sys

import pytest

COUNTED = """
import os
import torch
from noria.models.openmp import let_threads_go

def threads():
    return len(os.listdir("/proc/self/task"))

torch.set_num_threads(2)
before = threads()
for _ in range(2):
    torch.ones(4000, 4000).mul(2).sum()
    busy = threads()
    let_threads_go()
    print(busy - before, threads() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP is Linux's")
def test_waiting_threads_of_torch_go_and_come_again() -> None:
    run = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True)
    assert run.stdout.split() == ["1", "0", "1", "0"], run.stderr
