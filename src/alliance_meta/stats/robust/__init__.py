"""Cluster-robust covariance of weighted least squares, its degrees of freedom, joint tests, and the wild bootstrap."""

from alliance_meta.stats.robust._clusters import Block, blocks_of
from alliance_meta.stats.robust._sandwich import ADJUSTMENTS, Sandwich, sandwich
from alliance_meta.stats.robust._tests import (
    JOINT_TESTS,
    JointTest,
    contrast_covariance,
    joint_test,
    satterthwaite_df,
)
from alliance_meta.stats.robust._wild import BOOTSTRAP_WEIGHTS, WildBootstrap, wild_bootstrap

__all__ = [
    "ADJUSTMENTS",
    "BOOTSTRAP_WEIGHTS",
    "JOINT_TESTS",
    "Block",
    "JointTest",
    "Sandwich",
    "WildBootstrap",
    "blocks_of",
    "contrast_covariance",
    "joint_test",
    "sandwich",
    "satterthwaite_df",
    "wild_bootstrap",
]
