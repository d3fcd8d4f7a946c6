"""What this machine has to spare: memory and cores; and how its memory is asked for.

In a container the limits of its control group count, not the sizes of the machine around it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from noria.errors import UsageError

# control groups: the file of the limit, of what is used, and the names in memory.stat of what is
# used as a cache of files, which the kernel gives back first
VERSIONS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """``memory``: free bytes, None where that cannot be told. ``cores``: a share of one counts.

    ``device``: where the model runs, as torch names it; on a GPU the memory is the GPU's.
    """

    memory: int | None
    cores: float
    device: str = "cpu"


def ask_for_large_pages() -> None:
    """Let torch ask the kernel for large pages where a tensor is large.

    Training reads a tenth quicker and holds a tenth less (docs/log.md): tensors come and go, and
    every page of theirs is mapped anew. Torch looks once, when it first needs memory, so this comes
    before anything of it is used; whoever set the variable is left alone.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def machine(device: str = "cpu", root: Path = Path("/")) -> Machine:
    """What is free here and now. ``root``: where proc and sys are."""
    if device == "cpu":
        return Machine(free(root), cores(root))
    return Machine(free_on(device), cores(root), device)


def free(root: Path = Path("/")) -> int | None:
    """Bytes that a program may take without driving others out."""
    known = [*spare(root), *filter(None, [available(root)])]
    return min(known, default=None)


def free_on(device: str) -> int:
    """Bytes that are free on a GPU."""
    import torch

    if not device.startswith("cuda") or not torch.cuda.is_available():
        raise UsageError(f"{device}: there is no such device here; use cpu, or cuda where a GPU is")
    return int(torch.cuda.mem_get_info(device)[0])


def available(root: Path) -> int | None:
    """What the kernel calls available; else the free pages, or all of them, that POSIX tells."""
    found = re.search(r"^MemAvailable: *(\d+) kB", read(root / "proc/meminfo"), re.MULTILINE)
    if found:
        return int(found[1]) * 1024
    names = getattr(os, "sysconf_names", {})  # Windows has none; macOS does not tell what is free
    pages = next((name for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES") if name in names), None)
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") if pages else None


def spare(root: Path) -> Iterator[int]:
    """What each control group around this process still allows, where it limits memory."""
    for group in groups(root, "memory"):
        for limit, used, cache in VERSIONS:
            most = number(read(group / limit))
            if most is None or most >= 1 << 60:  # version 1 says no limit by a huge one
                continue
            found = re.search(rf"^{cache} (\d+)$", read(group / "memory.stat"), re.MULTILINE)
            taken = (number(read(group / used)) or 0) - (int(found[1]) if found else 0)
            yield max(0, most - max(0, taken))


def cores(root: Path = Path("/")) -> float:
    """Cores that this process may use."""
    known = hasattr(os, "sched_getaffinity")
    here = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return min([float(here), *quotas(root)])


def quotas(root: Path) -> Iterator[float]:
    """The cores that each control group around this process allows, where it limits them."""
    for group in groups(root, "cpu"):
        quota, _, period = read(group / "cpu.max").strip().partition(" ")
        both = number(quota), number(period)
        if both == (None, None):
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            both = number(read(group / names[0])), number(read(group / names[1]))
        if both[0] and both[1]:
            yield both[0] / both[1]


def groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups: its own, and those around it.

    In a container its own may be shown as the outermost, or not at all.
    """
    mount = root / "sys/fs/cgroup"
    for line in read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            top = mount
        elif controller in names.split(","):
            top = mount / controller
        else:
            continue
        own = top / path.strip("/")
        yield from (each for each in (own, *own.parents) if each.is_relative_to(top))


def number(text: str) -> int | None:
    """A count of a control group; None for "max", -1 and files that are not there."""
    return int(text) if text.strip().isdecimal() else None


def read(path: Path) -> str:
    """A small file of the kernel; empty where there is none for us."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
