"""Where frames of physical memory are shown: at the pages of address spaces that execute them, or that write them."""

from __future__ import annotations

from typing import Protocol


class Pages(Protocol):
    """What shows frames at addresses."""

    def on_code(self, begin: int, end: int) -> None:
        """Code of [begin, end) has changed."""
        ...


Place = tuple[Pages, int]  # the start of a page


class Places:
    """The places of frames, by frame. One place, as nearly all have, takes no set: 55 MB where 1 GB is code."""

    def __init__(self) -> None:
        self._places: dict[int, Place | set[Place]] = {}

    def __len__(self) -> int:
        """Of frames."""
        return len(self._places)

    def __contains__(self, frame: int) -> bool:
        return frame in self._places

    def of(self, frame: int) -> tuple[Place, ...]:
        """The places of a frame."""
        held = self._places.get(frame)
        if held is None:
            return ()
        return tuple(held) if isinstance(held, set) else (held,)

    def add(self, frame: int, place: Place) -> None:
        """One more place, if it is new."""
        held = self._places.setdefault(frame, place)
        if isinstance(held, set):
            held.add(place)
        elif held != place:
            self._places[frame] = {held, place}

    def discard(self, frame: int, place: Place) -> None:
        """One place less, if it is one."""
        held = self._places.get(frame)
        if isinstance(held, set):
            held.discard(place)
        if held in (place, set()):
            del self._places[frame]
