"""The garbage collector looks at new objects only, for a while."""

import gc

from handrail.tools.machine import collecting_little


def test_old_objects_are_left_alone_for_a_while():
    assert gc.get_freeze_count() == 0
    with collecting_little():
        frozen = gc.get_freeze_count()
        with collecting_little():
            assert gc.get_freeze_count() == frozen > 0
        assert gc.get_freeze_count() == frozen
    assert gc.get_freeze_count() == 0
