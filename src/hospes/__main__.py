"""`python -m hospes` is the `hospes` program."""

from hospes.ui.cli import main

main()
