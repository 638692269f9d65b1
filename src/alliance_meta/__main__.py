"""``python -m alliance_meta`` is the command line."""

from alliance_meta.cli import main

main()
