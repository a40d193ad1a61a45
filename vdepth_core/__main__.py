"""``python -m vdepth_core``: the command line, for hosts that know an interpreter only."""

from .cli.main import main

if __name__ == "__main__":
    main()
