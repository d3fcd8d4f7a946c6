"""What this machine has to spare."""

import os
from pathlib import Path

import pytest

from noria.errors import UsageError
from noria.tune.machine import ask_for_large_pages, available, cores, free, machine

GB = 1 << 30
MEMINFO = "MemTotal:       24684092 kB\nMemFree:  100 kB\nMemAvailable:   20971520 kB\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


def test_without_a_limit_it_is_what_the_kernel_calls_available(tmp_path: Path) -> None:
    assert free(write(tmp_path, {"proc/meminfo": MEMINFO})) == 20 * GB


def test_a_group_of_version_2_limits_and_its_file_cache_is_free(tmp_path: Path) -> None:
    here = "sys/fs/cgroup/box/job/memory"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/box/job\n",
        f"{here}.max": f"{4 * GB}\n",
        f"{here}.current": f"{3 * GB}\n",
        f"{here}.stat": f"anon 7\ninactive_file {GB}\nactive_file 9\n",
    }
    assert free(write(tmp_path, files)) == 2 * GB


def test_the_tightest_group_around_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/box/job\n",
        "sys/fs/cgroup/box/job/memory.max": "max\n",
        "sys/fs/cgroup/box/memory.max": f"{GB}\n",
        "sys/fs/cgroup/box/memory.current": "0\n",
    }
    assert free(write(tmp_path, files | {"proc/meminfo": MEMINFO})) == GB


def test_a_group_over_its_limit_has_nothing(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{GB}\n",
        "sys/fs/cgroup/memory.current": f"{2 * GB}\n",
    }
    assert free(write(tmp_path, files)) == 0


def test_a_group_of_version_1_limits(tmp_path: Path) -> None:
    here = "sys/fs/cgroup/memory/box/memory"
    files = {
        "proc/self/cgroup": "4:memory:/box\n3:cpuset:/\n0::/\n",
        f"{here}.limit_in_bytes": f"{4 * GB}\n",
        f"{here}.usage_in_bytes": f"{3 * GB}\n",
        f"{here}.stat": f"inactive_file 1\ntotal_inactive_file {GB}\n",
        # no limit at all, as version 1 says it
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
    }
    assert free(write(tmp_path, files | {"proc/meminfo": MEMINFO})) == 2 * GB


def test_a_group_that_a_container_does_not_show_is_the_outermost(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/not/shown/here\n",
        "sys/fs/cgroup/memory.max": f"{GB}\n",
        "sys/fs/cgroup/memory.current": "0\n",
    }
    assert free(write(tmp_path, files | {"proc/meminfo": MEMINFO})) == GB


def test_without_proc_posix_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf_names", told, raising=False)
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    assert available(tmp_path) == 4_096_000


def test_where_nothing_is_told_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sysconf_names", raising=False)
    assert free(tmp_path) is None


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "50000 100000\n"},
        {
            "proc/self/cgroup": "1:cpu,cpuacct:/box\n",
            "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
        },
    ],
)
def test_half_a_core_is_half_a_core(tmp_path: Path, files: dict[str, str]) -> None:
    assert cores(write(tmp_path, files)) == 0.5


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "max 100000\n"},
        {
            "proc/self/cgroup": "1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    ],
)
def test_without_a_quota_all_cores_are_ours(tmp_path: Path, files: dict[str, str]) -> None:
    assert cores(write(tmp_path, files)) >= 1


def test_this_machine_has_memory_and_cores() -> None:
    here = machine()
    assert here.memory is None or here.memory > 0
    assert here.cores > 0


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="npu: there is no such device here; use cpu"):
        machine("npu")


def test_large_pages_are_asked_for_where_nobody_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "THP_MEM_ALLOC_ENABLE"
    monkeypatch.setenv(name, "0")
    ask_for_large_pages()
    assert os.environ[name] == "0"
    monkeypatch.delenv(name)
    ask_for_large_pages()
    assert os.environ[name] == "1"
