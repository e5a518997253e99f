"""`python3 dev.py docs`: the documentation as a site, in .dev/site, without a request to any other host."""

import argparse
import os
import sys
from pathlib import Path

from local.dev.processes import ROOT

SITE = ROOT / ".dev" / "site"


def build(site: Path) -> None:
    """Build the site into a folder. Raises mkdocs' own errors, for warnings, too."""
    # Material's own maintainers announce a successor at each start; docs/decisions says why it is not used yet.
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config

    build_site(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(site)))


def main() -> int:
    argparse.ArgumentParser(
        prog="dev.py docs",
        description="Build the documentation as a site that opens from the file system, in .dev/site. Exit code 1 for "
        "a link that leads nowhere.",
    ).parse_args()
    from mkdocs.exceptions import MkDocsException

    try:
        build(SITE)
    except MkDocsException as error:
        print(f"dev.py docs: {error}", file=sys.stderr)
        return 1
    print(f"Open {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
