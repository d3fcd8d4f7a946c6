"""Lays lessons side by side in rows: no token is padding, and a common beginning is read once.

Lessons that begin alike, such as questions on the same passages, become a tree: the common
beginning is its trunk, what follows of each is a branch. A branch sees the trunk and itself; trees
do not see each other; positions count from each tree's root. So every lesson gives the logits that
it gives alone (``tests/tune/test_packing.py``), and the trunk is computed once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.tune.render import Lesson

if TYPE_CHECKING:
    import torch

SHARED = 64  # tokens in common that are worth a tree
TREE = 1024  # tokens of a tree; with fewer, a passage with many questions is read again


@dataclass(frozen=True, slots=True)
class Tree:
    """Lessons whose first ``trunk`` tokens are the same, and are read once.

    At least the last token of each prompt belongs to its branch: it predicts the response.
    """

    trunk: int
    lessons: tuple[Lesson, ...]

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return self.trunk + sum(lesson.length - self.trunk for lesson in self.lessons)


@dataclass(frozen=True, slots=True)
class Row:
    """Trees that are read together."""

    trees: tuple[Tree, ...]

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return sum(tree.length for tree in self.trees)

    @property
    def learnt(self) -> int:
        """Tokens that it teaches."""
        return sum(len(lesson.after) for tree in self.trees for lesson in tree.lessons)


@dataclass(frozen=True, slots=True)
class Inputs:
    """A row as tensors. The logits at ``sources`` predict ``targets``, which count ``weights``.

    ``mask`` says all; ``trees`` says it in numbers, for a model that reads tree by tree.
    """

    ids: "torch.Tensor"  # (1, length)
    positions: "torch.Tensor"  # (1, length)
    mask: "torch.Tensor"  # (1, 1, length, length): 0 where a token sees another, else minus much
    sources: "torch.Tensor"  # (learnt,)
    targets: "torch.Tensor"  # (learnt,)
    weights: "torch.Tensor"  # (learnt,)
    kept: "torch.Tensor"  # (learnt,): whether the base is what is learnt, not the target
    trees: tuple[tuple[int, int], ...]  # tokens of the trunk, and of the whole tree, of each


def pack(lessons: Sequence[Lesson], room: int) -> list[Row]:
    """``lessons`` in rows of at most ``room`` tokens, or of one tree that is longer.

    Best-fit decreasing: each tree, the longest first, goes where it leaves the least room.
    """
    rows: list[list[Tree]] = []
    left: list[int] = []
    for tree in sorted(trees(lessons), key=lambda tree: -tree.length):
        fitting = [place for place, free in enumerate(left) if free >= tree.length]
        if fitting:
            best = min(fitting, key=lambda place: left[place])
            rows[best].append(tree)
            left[best] -= tree.length
        else:
            rows.append([tree])
            left.append(room - tree.length)
    return sorted((Row(tuple(row)) for row in rows), key=lambda row: -row.length)


def trees(lessons: Sequence[Lesson], room: int = TREE) -> Iterator[Tree]:
    """Lessons that begin alike together, at most ``room`` tokens in a tree."""
    tree: Tree | None = None
    for lesson in sorted(lessons, key=lambda lesson: (lesson.before, lesson.id)):
        joined = tree and join(tree, lesson)
        if joined and joined.length <= room:
            tree = joined
            continue
        if tree:
            yield tree
        tree = Tree(0, (lesson,))
    if tree:
        yield tree


def join(tree: Tree, lesson: Lesson) -> Tree | None:
    """The tree with one more lesson, if they have enough in common."""
    one, other = tree.lessons[0].before, lesson.before
    longest = min(len(one), len(other)) - 1
    if len(tree.lessons) > 1:
        longest = min(longest, tree.trunk)
    trunk = common(one, other, longest)
    # a trunk that shrinks for one more lesson would cost the others more than it saves
    if trunk < SHARED or (len(tree.lessons) > 1 and trunk < tree.trunk - SHARED // 2):
        return None
    return Tree(trunk, (*tree.lessons, lesson))


def common(one: Sequence[int], other: Sequence[int], longest: int) -> int:
    """How many of the first ``longest`` tokens are the same."""
    for place in range(longest):
        if one[place] != other[place]:
            return place
    return max(longest, 0)


def laid(row: Row) -> Inputs:
    """The tensors of a row."""
    import torch

    length = row.length
    ids = torch.empty(length, dtype=torch.long)
    positions = torch.empty(length, dtype=torch.long)
    seen = torch.zeros((length, length), dtype=torch.bool)
    sources: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    kept: list[bool] = []
    start = 0
    for tree in row.trees:
        trunk = slice(start, start + tree.trunk)
        ids[trunk] = torch.tensor(tree.lessons[0].before[: tree.trunk], dtype=torch.long)
        positions[trunk] = torch.arange(tree.trunk)
        seen[trunk, trunk] = True
        start += tree.trunk
        for lesson in tree.lessons:
            own = lesson.before[tree.trunk :] + lesson.after
            branch = slice(start, start + len(own))
            ids[branch] = torch.tensor(own, dtype=torch.long)
            positions[branch] = torch.arange(tree.trunk, tree.trunk + len(own))
            seen[branch, trunk] = seen[branch, branch] = True
            start += len(own)
            sources += range(start - len(lesson.after) - 1, start - 1)
            targets += lesson.after
            weights += [lesson.weight] * len(lesson.after)
            kept += [lesson.kept] * len(lesson.after)
    seen.tril_()
    mask = torch.zeros(seen.shape).masked_fill_(~seen, torch.finfo(torch.float32).min)
    return Inputs(
        ids[None],
        positions[None],
        mask[None, None],
        torch.tensor(sources),
        torch.tensor(targets),
        torch.tensor(weights),
        torch.tensor(kept, dtype=torch.bool),
        tuple((tree.trunk, tree.length) for tree in row.trees),
    )
