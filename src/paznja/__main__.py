"""`python -m paznja`, and the program `paznja`."""

from paznja.cli import main

if __name__ == "__main__":
    main()
