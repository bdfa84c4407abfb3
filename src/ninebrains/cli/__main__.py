"""`python -m ninebrains.cli`: the same as `ninebrains`."""

from ninebrains.cli import main

if __name__ == "__main__":
    main()
