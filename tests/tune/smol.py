"""The shape of a model that people use, and rows to learn from."""

from noria.tune.pack import Row, Tree
from noria.tune.render import Lesson
from noria.tune.shape import Shape

# SmolLM2-135M, as its files tell
SMOL = Shape(
    parameters=134_515_008,
    embedded=28_311_552,
    linear=106_168_320,
    largest=884_736,
    width=305_280,
    hidden=576,
    layers=30,
    vocabulary=49_152,
    stored=538_090_408,
)


def row(length: int, learnt: int = 16) -> Row:
    return Row((Tree(0, (Lesson("a", (1,) * (length - learnt), (2,) * learnt),)),))
