"""A child that cannot outlive its parent, even when the parent is killed with -9 (Linux)."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent() -> Callable[[], None] | None:
    """What a child runs between fork and exec (`preexec_fn`): KILL it when the thread that forked it ends.

    The kernel ties the signal to the forking *thread*, so fork from the main thread. A parent that died between fork
    and prctl is seen by getppid. None where the kernel has no such call: there a killed parent leaves its children.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arm
