"""`python3 dev.py demo` begins here; what it does lies in `command.py`."""

import sys


def _main() -> int:
    try:
        from local.demo.command import main
    except KeyboardInterrupt:  # while modules were imported: nothing has been started
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(_main())
