"""``python -m pas_lib.cli`` is ``pas``."""

from pas_lib.cli.app import main

if __name__ == "__main__":
    main()
