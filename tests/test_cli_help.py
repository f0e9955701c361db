"""Help texts: one screen of commands, one line a step, an example for each command, no empty help."""

from collections.abc import Iterator

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

import transpose
from transpose.cli import app


def commands(group: TyperGroup, *path: str) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *path, name)
        elif isinstance(command, TyperCommand):
            yield (*path, name), command


ROOT = get_command(app)
assert isinstance(ROOT, TyperGroup)
COMMANDS = dict(commands(ROOT))


def help_of(*path: str) -> list[str]:
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert done.exit_code == 0
    return done.output.splitlines()


def test_all_commands_are_on_one_screen_with_those_that_use_a_model_first() -> None:
    lines = help_of()
    assert len(lines) <= 40
    first = next(position for position, line in enumerate(lines) if "predict" in line)
    assert all("predict" in line or position > first for position, line in enumerate(lines) if "summary" in line)


def test_each_step_has_one_line() -> None:
    lines = help_of("step")
    for path in COMMANDS:
        if path[0] == "step":
            (line,) = (line for line in lines if line.startswith(f"│ {path[1]} "))
            assert line.rstrip(" │").endswith(".")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_explained(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    assert [one.name for one in command.params if not getattr(one, "help", None)] == []


@pytest.mark.parametrize("path", [path for path in COMMANDS if path[0] != "step"], ids=" ".join)
def test_commands_of_people_have_an_example(path: tuple[str, ...]) -> None:
    text = " ".join(" ".join(help_of(*path)).split())
    assert f"Example: transpose {path[0]}" in text


def test_the_version_is_printed() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.output == f"transpose {transpose.__version__}\n"
