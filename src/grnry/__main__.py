"""`python -m grnry` is the command line."""


def main() -> None:
    raise SystemExit("Nothing is here yet.")


if __name__ == "__main__":
    main()
