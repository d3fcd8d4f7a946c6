"""``python -m noria.cli``: the same as ``noria``."""

from noria.cli import main

if __name__ == "__main__":
    main()
