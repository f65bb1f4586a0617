"""A pane of one's own: how deep the stacks of the kernel's threads have been (`xemu debug --pane samples/panes/stack_use.py …`)."""

from xemu.tui.pane import Pane
from xemu.tui.queries import query
from xemu.tui.text import line


@query(live=True)
def stacks(d):
    """Ask, in the guest's process: (bytes, of them never touched) of each stack."""
    array = d.evaluate("stacks")
    size = array.element(0).size
    data = d.read_memory(array.address, array.size)
    return [(size, len(part) - len(part.lstrip(b"\0"))) for part in (data[i:i + size] for i in range(0, len(data), size))]


class StackUse(Pane):
    """Show it, on the screen."""

    pane, title, group = "stack_use", "Stack use", 4
    query_name = "stack_use.stacks"

    def view(self, data, before):
        """Return a line with a bar for each stack."""
        return [line((f"thread {n}  ", "label"), "█" * (20 * (size - free) // size), ("░" * (20 * free // size), "dim"),
                     f"  {size - free} of {size}") for n, (size, free) in enumerate(data)]


PANES = (StackUse,)
