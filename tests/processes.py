"""The processes that Ray runs below this one, for tests that kill them."""

import psutil


def ray_processes(role: str) -> list[psutil.Process]:
    """Those with ``role`` in their title (``ray::_run_stage``, ``ray::IDLE`` …); what ends meanwhile is left out."""
    found = list[psutil.Process]()
    for child in psutil.Process().children(recursive=True):
        try:
            if role in " ".join(child.cmdline()):
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found
