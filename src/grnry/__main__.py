"""`python -m grnry` is the command line."""


def main() -> None:
    from grnry.cli.main import app

    app(prog_name="grnry")


if __name__ == "__main__":
    main()
