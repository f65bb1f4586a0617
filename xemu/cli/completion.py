"""`xemu completion`: completion of commands, options and their values for shells, made of the option rows."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from xemu.cli.options import Option, help_text, parse
from xemu.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USAGE = """usage: xemu completion bash|zsh|fish

Prints a script for the shell. To have it always:
  bash  echo 'eval "$(xemu completion bash)"' >> ~/.bashrc
  zsh   xemu completion zsh > a directory of $fpath/_xemu
  fish  xemu completion fish > ~/.config/fish/completions/xemu.fish"""

OPTIONS = (Option("-h --help", None, "show this"),)
WORDS = ("bash", "zsh", "fish")


class Command(NamedTuple):
    """A command as shells complete it. `words`: what its first word may be; none: files."""

    name: str
    help: str
    options: Sequence[Option]
    words: Sequence[str]


def commands() -> Iterator[Command]:
    """Yield all commands with their options."""
    from xemu.cli.main import COMMANDS

    for name, (module, text) in sorted(COMMANDS.items()):
        found = import_module(module)
        yield Command(name, text, found.OPTIONS, getattr(found, "WORDS", ()))


def values_of(option: Option) -> tuple[str, ...]:
    """Return the words that an option's value may be; none: a file, or anything."""
    if option.name == "machine" and (option.metavar or "").startswith("NAME"):
        from xemu.hw.machines import board_names

        return tuple(board_names())
    found = re.fullmatch(r"\[?([a-z0-9-]+(?:\|[a-z0-9-]+)+)\]?", option.metavar or "")
    return tuple(found[1].split("|")) if found else ()


# -- bash ----------------------------------------------------------------------------------------------------------------
BASH = """# completion of xemu for bash, made by `xemu completion bash`
_xemu() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "$command $before" in
{values}
            *) case "$word" in
                -*) case "$command" in
{options}
                esac ;;
                *) if [ "$COMP_CWORD" -eq 2 ]; then case "$command" in
{words}
                esac; fi ;;
            esac ;;
        esac
    fi
    if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi
}}
complete -o filenames -F _xemu xemu
"""


def bash() -> str:
    """Return the script for bash."""
    rows = list(commands())
    values, names, words = [], [], []
    for row in rows:
        for option in row.options:
            if option.metavar and not option.bare:
                there = "|".join(f'"{row.name} {name}"' for name in option.names)
                values.append(f'            {there}) words="{" ".join(values_of(option))}" ;;')
        names.append(f'                    {row.name}) words="{" ".join(name for option in row.options for name in option.names)}" ;;')
        words += [f'                    {row.name}) words="{" ".join(row.words)}" ;;'] if row.words else []
    return BASH.format(commands=" ".join(row.name for row in rows), values="\n".join(values), options="\n".join(names),
                       words="\n".join(words))


# -- zsh -----------------------------------------------------------------------------------------------------------------
def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_spec(option: Option) -> Iterator[str]:
    help_ = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = ""
    if option.metavar:
        words = values_of(option)
        colon, title = "::" if option.bare else ":", option.metavar.replace(":", " ")
        value = f"{colon}{title}:" + (f"({' '.join(words)})" if words else "_files")
    for name in option.names:
        yield _quoted(f"{'*' if option.repeat else ''}{name}[{help_}]{value}")


def zsh() -> str:
    """Return the script for zsh."""
    rows = list(commands())
    lines = ["#compdef xemu", "# completion of xemu for zsh, made by `xemu completion zsh`", "_xemu() {", "    local -a names",
             "    names=(", *(f"        {_quoted(row.name + ':' + row.help)}" for row in rows), "    )",
             "    if (( CURRENT == 2 )); then _describe command names; return; fi", "    local command=$words[2]",
             "    shift words; (( CURRENT-- ))", "    case $command in"]
    for row in rows:
        first = f"1: :({' '.join(row.words)})" if row.words else "1: :_files"
        specs = [spec for option in row.options for spec in _zsh_spec(option)]
        lines.append(f"        {row.name}) _arguments -S {' '.join(specs)} {_quoted(first)} '*: :_files' ;;")
    return "\n".join([*lines, "    esac", "}", '_xemu "$@"', ""])


# -- fish ----------------------------------------------------------------------------------------------------------------
def fish() -> str:
    """Return the script for fish."""
    lines = ["# completion of xemu for fish, made by `xemu completion fish`"]
    for row in commands():
        lines.append(f"complete -c xemu -f -n __fish_use_subcommand -a {row.name} -d {_quoted(row.help)}")
        here = f"-n '__fish_seen_subcommand_from {row.name}'"
        if row.words:
            lines.append(f"complete -c xemu -f {here} -a '{' '.join(row.words)}'")
        for option in row.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            words = values_of(option)
            value = "" if not option.metavar or option.bare else f" -x -a '{' '.join(words)}'" if words else " -r"
            lines.append(f"complete -c xemu {here} {names}{value} -d {_quoted(option.help)}")
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    values, words = parse(OPTIONS, arguments)
    if values.get("help"):
        sys.stdout.write(help_text(USAGE, OPTIONS))
        return 0
    if len(words) != 1 or words[0] not in WORDS:
        raise UsageError("for which shell? xemu completion " + "|".join(WORDS))
    sys.stdout.write({"bash": bash, "zsh": zsh, "fish": fish}[words[0]]())
    return 0
