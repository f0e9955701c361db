"""What a terminal shows of a stream with the control sequences that rich writes."""

import re

_TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")
_INCOMPLETE = re.compile(r"\x1b(\[[?\d;]*)?\Z")


class Screen:
    """Lines of a terminal that never scrolls; colours are left out."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.is_cursor_visible = True
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Write text; a control sequence may be continued by the next call.

        Raises:
            ValueError: a sequence is not known.
        """
        text = self._rest + text
        self._rest = match[0] if (match := _INCOMPLETE.search(text)) else ""
        text = text.removesuffix(self._rest)
        for arguments, command, control, plain in _TOKEN.findall(text):
            if command:
                self._command(arguments, command)
            elif control == "\r":
                self._column = 0
            elif control == "\n":
                self._move_down()
            else:
                self._write(plain)

    def lines(self) -> list[str]:
        """Return the lines up to the last that is not empty, without blanks at their ends."""
        return "\n".join("".join(line).rstrip() for line in self._lines).rstrip("\n").split("\n")

    def _command(self, arguments: str, command: str) -> None:
        if command == "A":
            self._row = max(self._row - int(arguments or 1), 0)
        elif (command, arguments) == ("K", "2"):
            self._lines[self._row] = []
        elif arguments == "?25":
            self.is_cursor_visible = command == "h"
        elif command != "m":
            raise ValueError(f"unknown control sequence {arguments}{command}")

    def _move_down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])

    def _write(self, text: str) -> None:
        for character in text:
            if self._column == self.columns:
                self._column = 0
                self._move_down()
            line = self._lines[self._row]
            line += " " * (self._column + 1 - len(line))
            line[self._column] = character
            self._column += 1
