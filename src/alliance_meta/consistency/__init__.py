"""Consistency: whether the numbers that a meta-analysis prints can all be right, by identities between them."""

from alliance_meta.consistency._check import check, check_table
from alliance_meta.consistency._identities import identities
from alliance_meta.consistency._published import check_dataset
from alliance_meta.consistency._record import ConsistencyCheck, ConsistencyTable, IdentityCheck
from alliance_meta.consistency._vocabulary import quantities

__all__ = [
    "ConsistencyCheck",
    "ConsistencyTable",
    "IdentityCheck",
    "check",
    "check_dataset",
    "check_table",
    "identities",
    "quantities",
]
