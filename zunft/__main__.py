"""`python -m zunft` is the `zunft` command."""

from zunft.cli import main

if __name__ == "__main__":
    main()
