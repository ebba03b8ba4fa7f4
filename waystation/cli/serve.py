"""``waystation serve``."""

import sys

import typer

from waystation.cli.options import ConfigOption


def serve(config: ConfigOption = None) -> None:
    """Run a node until SIGTERM or Ctrl-C; prints one line when it is ready."""
    from waystation.app.lean import import_lean, share_heaps

    share_heaps()
    import_lean()
    from waystation.app.faults import ConfigFaults
    from waystation.app.read import find_file
    from waystation.app.serving import serve as run

    try:
        run(find_file(config))
    except ConfigFaults as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        raise typer.Exit(2) from None
    except OSError as error:
        print(f"waystation: cannot listen: {error.strerror or error}", file=sys.stderr)
        raise typer.Exit(1) from None
