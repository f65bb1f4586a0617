"""Keys, each once: bindings, the footer, the palette and the help are made of these rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from textual.binding import Binding

if TYPE_CHECKING:
    from collections.abc import Iterable


class Key(NamedTuple):
    """A key and what it does. `action` is a method `action_…` of the app or of the pane that has the row."""

    key: str
    action: str
    text: str                                        # what it does, in the help and the palette
    short: str = ""                                  # in the footer; "": it is not there
    aliases: str = ""                                # more keys, separated by blanks
    section: str = ""

    @property
    def id(self) -> str:
        """The name by which a user's configuration gives it another key."""
        return self.action.replace("('", ".").replace("')", "").replace("'", "").replace(", ", ".").replace("(", ".").rstrip(").")

    @property
    def label(self) -> str:
        """The key as people write it."""
        return key_name(self.key)

    def binding(self) -> Binding:
        """Return Textual's binding."""
        return Binding(",".join([self.key, *self.aliases.split()]), self.action, self.text, show=False, id=self.id)


NAMES = {"question_mark": "?", "full_stop": ".", "colon": ":", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]",
         "left_curly_bracket": "{", "right_curly_bracket": "}", "exclamation_mark": "!", "asterisk": "*", "enter": "Enter", "tab": "Tab",
         "shift+tab": "⇧Tab", "escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End", "greater_than_sign": ">",
         "less_than_sign": "<", "plus": "+", "minus": "-", "up": "↑", "down": "↓", "left": "←", "right": "→", "equals_sign": "="}

def key_name(key: str) -> str:
    """Return a key as people write it."""
    return NAMES.get(key, key.replace("ctrl+", "^").replace("shift+", "⇧"))


def check_keymap(keymap: dict[str, str], rows: Iterable[Key]) -> None:
    """Refuse keys for actions that are not there; UsageError names the near miss."""
    import difflib

    from xemu.errors import UsageError

    known = {row.id for row in rows}
    for name in keymap:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UsageError(f"keymap: no action '{name}'" + (f"; did you mean '{near[0]}'?" if near else "; ? in xemu debug shows them"))


RUN, BACK, POINTS, GO, VIEW, PROGRAM = "Run", "Back", "Points", "Go", "Panes", "Program"

#: the keys that work everywhere
KEYS = (
    Key("c", "move('cont')", "Continue", "run", "f5", RUN),
    Key("s", "move('step')", "Step a line, into calls", "step", "f11", RUN),
    Key("n", "move('next')", "Step a line, over calls", "next", "f10", RUN),
    Key("f", "move('finish')", "Run to the end of the function", "finish", "shift+f11", RUN),
    Key("i", "move('step_instruction')", "Step an instruction", "insn", "", RUN),
    Key("o", "move('next_instruction')", "Step an instruction, over calls", "", "", RUN),
    Key("G", "hand_over", "Hand the guest over to the GDB that waits for it", "", "", PROGRAM),
    Key("ctrl+g", "disconnect_gdb", "Disconnect GDB", "", "", PROGRAM),
    Key("ctrl+c", "pause", "Pause", "pause", "f6 p", RUN),
    Key("C", "move_back('cont')", "Back to the last stop", "", "ctrl+f5", BACK),
    Key("S", "move_back('step')", "Back to the line before, into calls", "", "ctrl+f11", BACK),
    Key("N", "move_back('next')", "Back to the line before, over calls", "", "ctrl+f10", BACK),
    Key("F", "move_back('finish')", "Back to the call of this function", "", "", BACK),
    Key("I", "move_back('step_instruction')", "Back an instruction", "", "", BACK),
    Key("O", "move_back('next_instruction')", "Back an instruction, over calls", "", "", BACK),
    Key("b", "toggle_break", "Set or delete a breakpoint at the cursor", "break", "f9", POINTS),
    Key("B", "edit_point", "Breakpoint with condition, count, log text", "", "", POINTS),
    Key("w", "watch", "Watch what an expression names", "", "", POINTS),
    Key("L", "log_point", "Log a text here instead of stopping", "", "", POINTS),
    Key("u", "until_cursor", "Run to the cursor", "until", "", RUN),
    Key("U", "until_cursor_back", "Back to when the cursor's line was last executed", "", "", BACK),
    Key("left_square_bracket", "event('back')", "To the event before", "", "", GO),
    Key("right_square_bracket", "event('on')", "To the next event", "", "", GO),
    Key("left_curly_bracket", "event('back', 'same')", "To the event before, of the same kind", "", "", GO),
    Key("right_curly_bracket", "event('on', 'same')", "To the next event of the same kind", "", "", GO),
    Key("T", "checkpoint", "Give this moment a name", "", "", GO),
    Key("t", "seek", "Go to an instruction, time, checkpoint, start or end", "", "", GO),
    Key("g", "goto", "Show an address, symbol or expression", "goto", "", GO),
    Key("slash", "find", "Search in the pane", "find", "", GO),
    Key("full_stop", "home", "Show where the guest stands", "", "", GO),
    *(Key(str(n), f"group({n})", f"Pane {n}; again: its next tab", "", "", VIEW) for n in range(1, 7)),
    Key("tab", "tab(1)", "Next tab of this pane", "", "", VIEW),
    Key("shift+tab", "tab(-1)", "Tab before", "", "", VIEW),
    Key("z", "zoom", "This pane alone, and back", "zoom", "", VIEW),
    Key("v", "layout", "Next layout", "", "", VIEW),
    Key("ctrl+o", "jump", "Jump to anything that can be clicked", "", "", VIEW),
    Key("ctrl+l", "redraw", "Draw the screen anew", "", "", VIEW),
    Key("colon", "command", "Command line", "cmd", "", PROGRAM),
    Key("exclamation_mark", "command('py ')", "Python with the debugger as d", "", "", PROGRAM),
    Key("R", "reload", "Load the program again, reset, keep breakpoints", "", "", PROGRAM),
    Key("ctrl+p", "command_palette", "Everything by name", "palette", "", PROGRAM),
    Key("escape", "hide_hint", "Hide the hint", "", "", PROGRAM),
    Key("question_mark", "help", "Keys and help", "help", "f1", PROGRAM),
    Key("q", "quit", "Quit", "", "", PROGRAM),
)

#: the keys of every pane
PANE_KEYS = (
    Key("j", "cursor(1)", "Line down", "", "down"),
    Key("k", "cursor(-1)", "Line up", "", "up"),
    Key("pagedown", "page(1)", "Page down", "", "space"),
    Key("pageup", "page(-1)", "Page up"),
    Key("home", "edge(0)", "First line"),
    Key("end", "edge(1)", "Last line"),
    Key("h", "pan(-8)", "Left", "", "left"),
    Key("l", "pan(8)", "Right", "", "right"),
    Key("enter", "enter", "Open, edit or follow what the cursor is on"),
)
