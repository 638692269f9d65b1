"""What published meta-analyses say together: the history of a finding, second-order synthesis, elements, factors.

Every number is a cell of a data set, or is made of such cells by a formula that is named; nothing is filled in.
"""

from alliance_meta.evidence._elements import Elements, TaskForce, elements
from alliance_meta.evidence._factors import CommonFactors, common_factors
from alliance_meta.evidence._history import History, history
from alliance_meta.evidence._second_order import SecondOrder, second_order

__all__ = [
    "CommonFactors",
    "Elements",
    "History",
    "SecondOrder",
    "TaskForce",
    "common_factors",
    "elements",
    "history",
    "second_order",
]
