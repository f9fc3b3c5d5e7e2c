"""What is remembered, for how long, and by whom."""

import numpy as np
import pytest

from jaxgan.app.messages import unpack
from jaxgan.app.sessions import ForgottenError, Sessions


def test_the_one_not_used_for_longest_gives_way():
    sessions = Sessions(limit=2)
    first, second = sessions.add("a"), sessions.add("b")
    sessions.get(first)
    third = sessions.add("c")
    assert (sessions.get(first), sessions.get(third)) == ("a", "c")
    with pytest.raises(ForgottenError, match="upload it again"):
        sessions.get(second)


def test_unused_ones_are_forgotten():
    now = [0.0]
    sessions = Sessions(idle=10, clock=lambda: now[0])
    first = sessions.add("a")
    now[0] = 9
    second = sessions.add("b")
    now[0] = 12
    sessions.sweep()
    assert len(sessions) == 1 and sessions.get(second) == "b"
    with pytest.raises(ForgottenError):
        sessions.get(first)


def test_names_cannot_be_guessed():
    sessions = Sessions(limit=1)
    names = {sessions.add(number) for number in range(50)}
    assert len(names) == 50 and min(map(len, names)) >= 32


def test_one_forgotten_cannot_be_replaced():
    with pytest.raises(ForgottenError):
        Sessions().replace("unknown", "a")


def test_two_pages_do_not_see_each_other(page):
    first, second = page.open(), page.open()
    assert first["session"] != second["session"]
    with page.live(first["session"]) as one, page.live(second["session"]) as other:
        for seq in range(1, 6):
            one.send_json({"type": "edit", "seq": seq, "edit": {"offsets": [[seq, 0]] * 68}})
            other.send_json({"type": "edit", "seq": seq, "edit": {"offsets": [[0, -seq]] * 68}})
            for live, opened, moved in ((one, first, [seq, 0]), (other, second, [0, -seq])):
                header, _ = unpack(live.receive_bytes())
                assert header["seq"] == seq
                assert np.allclose(np.array(header["points"]) - opened["points"], moved, atol=0.05)


def test_stopping_forgets_all(page, sessions):
    page.open()
    page.client.__exit__(None, None, None)
    assert len(sessions) == 0
    page.client.__enter__()
