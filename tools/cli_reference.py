"""Print docs/reference/cli.md, made from the commands themselves.

.venv/bin/python -m tools.cli_reference > docs/reference/cli.md
"""

from collections.abc import Iterator
from textwrap import fill
from typing import Any

from typer.main import get_command

from grnry.cli.main import app

INTRODUCTION = """\
# The command line

`grnry COMMAND --help` says the same as this page, which is made from it.

What a command prints for people is on stdout, and so is JSON for programs with `--json`. Errors are
one sentence on stderr. The exit code is 0 where the command did what it was asked for, 1 where not,
2 where its words are wrong, and 78 where a process that is started alone (`api`, `broker`,
`reconciler`, `run`) cannot start for a reason that will not go away by itself, such as a missing
setting. On the machine of `grnry up`, commands log in by themselves.
"""


def page() -> str:
    return "\n".join([INTRODUCTION, *commands(get_command(app), "grnry")]).rstrip() + "\n"


def commands(command: Any, name: str) -> Iterator[str]:
    """The sections of a command and of those below it."""
    below = getattr(command, "commands", {})
    if name != "grnry" and (not below or command.invoke_without_command):
        yield from section(command, name)
    for word, each in below.items():
        yield from commands(each, f"{name} {word}")


def section(command: Any, name: str) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f"```\n{usage(command, name)}\n```"
    yield ""
    for paragraph in (command.help or "").strip().split("\n\n"):
        yield fill(" ".join(paragraph.split()), 100, break_long_words=False)
        yield ""
    rows = [row for parameter in command.params if (row := described(parameter))]
    if rows:
        yield "| | | |"
        yield "|---|---|---|"
        yield from rows
        yield ""


def usage(command: Any, name: str) -> str:
    arguments = [
        argument(parameter) if parameter.required else f"[{argument(parameter)}]"
        for parameter in command.params
        if parameter.param_type_name == "argument"
    ]
    has_options = any(p.param_type_name == "option" for p in command.params)
    return " ".join([name, *(["[OPTIONS]"] if has_options else []), *arguments])


def described(parameter: Any) -> str:
    """A row: its names, what it takes where it is not given, and what it is."""
    if parameter.param_type_name == "argument":
        names = f"`{argument(parameter)}`"
    else:
        every = [*parameter.opts, *parameter.secondary_opts]
        names = ", ".join(f"`{name}`" for name in every)
    text = (parameter.help or "").replace("|", "\\|")
    return f"| {names} | {default(parameter)} | {text} |"


def argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    found = parameter.default
    if getattr(parameter, "is_flag", False):
        return "on" if found is True else ""
    return "" if found in (None, "", ()) or callable(found) else f"`{found}`"


if __name__ == "__main__":
    print(page(), end="")
