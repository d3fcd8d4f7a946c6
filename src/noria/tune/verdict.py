"""Says what became of a training: by rules, from its curve, in a sentence with what to do next.

The held-out loss decides, since the same lessons are read at each look: two looks differ by what
was learnt alone. The training loss is of other examples at each update, so it is only asked which
way it went.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from noria.tune.curve import Curve

Kind = Literal["learnt", "overfit", "underfit", "unsteady", "unmoved", "diverged"]

# a change of the held-out loss that counts, in nats a token: what benchmarks/ takes for the same
# quality when trainers are compared; of a high loss, a hundredth
LEAST, SHARE = 0.01, 0.01
# a rise of the training loss that is more than other examples: updates of 16 examples scatter less
ROSE = 1.1
# still falling: the last quarter of a run is at least this steep, as a share of its mean slope. The
# learning rate ends at zero, so a run that is done has long been flat there.
STEEP, LAST = 0.2, 0.75


@dataclass(frozen=True, slots=True)
class Glance:
    """A run as a look found it. Losses are in nats a token.

    ``trained``: the mean training loss since the look before; None where nothing was trained yet.
    ``gap``: how much worse what was held out is than what was trained on.
    """

    update: int
    held_out: float
    trained: float | None
    best: bool

    @property
    def gap(self) -> float | None:
        """Held-out loss minus training loss."""
        return None if self.trained is None else self.held_out - self.trained

    def __str__(self) -> str:
        """For the line that shows progress."""
        told = f"held-out loss {self.held_out:.3f}" + (", the best so far" if self.best else "")
        if self.trained is None or self.gap is None:
            return told
        return f"{told}; training {self.trained:.3f}, gap {self.gap:+.3f}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a run.

    ``sentence``: what happened. ``advice``: what to do; empty where nothing needs to be done.
    ``before``, ``kept``, ``last``: the first look, the one whose weights were kept, and the last.
    """

    kind: Kind
    sentence: str
    advice: str
    before: Glance
    kept: Glance
    last: Glance


def verdict(curve: Curve) -> Verdict:
    """What became of the run that ``curve`` shows; it has at least the look before training.

    >>> from noria.tune.curve import Look, Point
    >>> looks = (Look(0, 2.0), Look(10, 1.2), Look(20, 1.6))
    >>> points = tuple(Point(n + 1, 2.0 - n / 10, 100, 400, 1.0) for n in range(20))
    >>> verdict(Curve(points, looks)).kind
    'overfit'
    """
    seen = glances(curve)
    before, last = seen[0], seen[-1]
    kept = next(each for each in seen if each.best)
    kind = judged(curve, before, kept, last)
    sentence, advice = said(kind, before, kept, last)
    return Verdict(kind, sentence, advice, before, kept, last)


def glances(curve: Curve) -> list[Glance]:
    """Each look beside the training loss since the one before; one of them is the best."""
    best = curve.best
    seen: list[Glance] = []
    for place, look in enumerate(curve.looks):
        since = curve.looks[place - 1].update if place else 0
        seen.append(
            Glance(look.update, look.loss, trained(curve, since, look.update), look is best)
        )
    return seen


def trained(curve: Curve, since: int, until: int) -> float | None:
    """The mean loss of the tokens learnt in the updates after ``since``, up to ``until``."""
    points = [point for point in curve.points if since < point.update <= until]
    tokens = sum(point.learnt for point in points)
    return sum(point.loss * point.learnt for point in points) / tokens if tokens else None


def judged(curve: Curve, before: Glance, kept: Glance, last: Glance) -> Kind:
    """The first rule that holds, the worst first."""
    counts = max(LEAST, SHARE * before.held_out) if math.isfinite(before.held_out) else LEAST
    if not all(math.isfinite(look.loss) for look in curve.looks):
        return "diverged"
    if last.held_out - kept.held_out > counts:
        return worsened(curve, kept, last)
    if before.held_out - kept.held_out <= counts:
        return "unmoved"
    return "underfit" if falling(curve, counts) else "learnt"


def worsened(curve: Curve, kept: Glance, last: Glance) -> Kind:
    """Why the held-out loss rose: the training loss tells."""
    # before the first look nothing was trained: the first update's loss stands for it
    then = curve.points[0].loss if kept.trained is None else kept.trained
    now = then if last.trained is None else last.trained
    if now > then * ROSE:
        return "diverged"
    return "overfit" if now < then else "unsteady"


def falling(curve: Curve, counts: float) -> bool:
    """Whether the held-out loss still fell at the end. Two looks tell a fall, but not its end."""
    looks = curve.looks
    first, last = looks[0], looks[-1]
    if len(looks) < 3 or last is not curve.best:
        return False
    early = [look for look in looks[1:-1] if look.update <= LAST * last.update]
    since = early[-1] if early else looks[1]
    fall = since.loss - last.loss
    slope = fall / (last.update - since.update)
    return fall > counts and slope >= STEEP * (first.loss - last.loss) / last.update


def said(kind: Kind, before: Glance, kept: Glance, last: Glance) -> tuple[str, str]:
    """The verdict in a sentence, and what to do."""
    fell = f"from {before.held_out:.3f} to {kept.held_out:.3f}"
    rose = f"from {kept.held_out:.3f} at update {kept.update} to {last.held_out:.3f}"
    match kind:
        case "diverged":
            return (
                f"Diverged: the held-out loss went {rose} at update {last.update}, and the "
                f"training loss did not fall; the weights of update {kept.update} are kept.",
                "Lower the learning rate to a third of what it was.",
            )
        case "overfit" if kept.update == 0:
            return (
                f"Overfit: the held-out loss rose {rose} while the training loss fell, so the "
                "model learnt its examples by heart and nothing else; its first weights are kept.",
                "Give more examples, check that the held-out ones ask for the same, or lower the "
                "learning rate.",
            )
        case "overfit":
            return (
                f"Overfit: the held-out loss rose {rose} while the training loss fell; nothing is "
                f"lost, since the weights of update {kept.update} are kept.",
                "Train for fewer epochs, or give more examples.",
            )
        case "unsteady":
            return (
                f"Unsteady: the held-out loss rose {rose}, and the training loss neither fell nor "
                f"rose much; the weights of update {kept.update} are kept.",
                "Lower the learning rate, or let an update learn from more examples.",
            )
        case "unmoved":
            return (
                f"Nothing learnt: the held-out loss is no better than before ({fell}).",
                "Look at the examples with --preview; then raise the learning rate, or "
                "train longer.",
            )
        case "underfit":
            return (
                f"Underfit: the held-out loss fell {fell} and was still falling at the end.",
                "Train for more epochs.",
            )
        case "learnt":
            gap = "" if kept.gap is None else f" ({abs(kept.gap):.3f} {side(kept.gap)})"
            return f"Learnt: the held-out loss fell {fell}{gap} and had settled.", ""


def side(gap: float) -> str:
    """Which side of the training loss the held-out loss is on."""
    return "above the training loss" if gap >= 0 else "below the training loss"


def as_json(found: Verdict) -> dict[str, Any]:
    """The verdict for ``--json``; the gap is that of the weights that were kept.

    A loss that is no number is null, since JSON has no word for it.
    """
    looks = {
        name: {key: plain(value) for key, value in (asdict(each) | {"gap": each.gap}).items()}
        for name, each in (("before", found.before), ("kept", found.kept), ("last", found.last))
    }
    return {
        "kind": found.kind,
        "sentence": found.sentence,
        "advice": found.advice,
        "gap": looks["kept"]["gap"],
        **looks,
    }


def plain(value: float | None) -> float | None:
    """None for infinity and for what is no number."""
    return value if value is not None and math.isfinite(value) else None
