"""The one door to numba: compiled functions that are kept on disk where that is possible."""

from collections.abc import Callable
from typing import Literal, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Kernels = Literal["numba", "numpy"]

# What runs where the caller does not say; the other is what tests and benchmarks hold it against.
DEFAULT_KERNELS: Kernels = "numba"


def compiled(function: Callable[P, R], any_order: bool = False) -> Callable[P, R]:
    """Compile a function to machine code at its first call, to run without the interpreter's lock.

    The code is kept next to the source, in the user's cache directory or in NUMBA_CACHE_DIR. Where none of
    them can be written, as in a read-only install, numba refuses to decorate at all: then each process
    compiles for itself.

    The kept code of a function is compared with the function's own file only. Call compiled functions of the
    same file, or a change of the other file goes unnoticed. Pass numbers and arrays, no class of the file:
    where the class is gone, reading what was kept fails. Each combination of argument types is compiled anew:
    pass arrays of one type and layout, and none that is read-only (see `numpy.require`). A division by zero
    gives inf or nan, as in numpy.

    Importing numba takes half a second. Keep kernels in modules of their own and import these where they are
    called.

    Args:
        function: within numba's part of Python; its module is the kernel's.
        any_order: whether sums may be taken in any order. They become vector instructions then, and round
            otherwise than a loop in Python does.

    Returns:
        What is called as the function was.
    """
    from numba import njit

    fastmath = {"reassoc", "contract"} if any_order else False
    try:
        return njit(nogil=True, error_model="numpy", fastmath=fastmath, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
