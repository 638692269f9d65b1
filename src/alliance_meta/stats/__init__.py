"""The numeric core: float arrays in, floats, arrays or small records out.

Every kernel takes effects along the last axis and broadcasts over all others, so one meta-analysis, all
leave-one-out fits and a hundred thousand simulated ones are the same call with one more axis. `include` is
a 0/1 array that takes effects out of a fit without changing its shape.
"""
