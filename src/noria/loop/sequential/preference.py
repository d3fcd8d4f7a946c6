"""Which of two releases writes the better answer to the same question: for little traffic.

Both answer, and a judge, who does not know which is whose, says which is better. Fewer pairs are
needed than separate judgements, since what makes a question hard for both is out of it. Binomial
e-processes as in ``shares``: exact at any number. Ties say nothing and are left out.
"""

import numpy as np

from noria.loop.sequential.shares import Flags, Values, excess


def worse(preferred: Flags) -> Values:
    """The logarithm of the e-value against "the canary's answer is preferred in half or more".

    >>> bool(worse(np.zeros(9, dtype=bool))[-1] > np.log(100))
    True
    """
    return above(~preferred, 0.5)


def above(preferred: Flags, chance: float) -> Values:
    """The logarithm of the e-value against "preferred in at most ``chance`` of the pairs".

    >>> bool(above(np.ones(9, dtype=bool), 0.5)[-1] > np.log(100))
    True
    """
    return excess(np.cumsum(preferred), np.arange(1, len(preferred) + 1), chance)
