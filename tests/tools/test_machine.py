"""The garbage collector looks at new objects only, for a while."""

import gc

from handrail.tools.machine import freeze_garbage


def test_old_objects_are_left_alone_for_a_while():
    assert gc.get_freeze_count() == 0
    with freeze_garbage():
        frozen = gc.get_freeze_count()
        with freeze_garbage():
            assert 0 < gc.get_freeze_count() <= frozen  # some may have died
        assert 0 < gc.get_freeze_count() <= frozen
    assert gc.get_freeze_count() == 0
