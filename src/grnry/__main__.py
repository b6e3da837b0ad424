"""`python -m grnry` is the command line."""

import sys


def main() -> None:
    from grnry.cli.main import app
    from grnry.cli.output import end_without_output, is_about_output

    try:
        try:
            app(prog_name="grnry")
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except OSError as error:
        if not is_about_output(error):
            raise
        end_without_output(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
