"""Run a command as somebody who is not root, bound to the life of the process that asked.

    python unprivileged.py SIGNAL COMMAND...

PostgreSQL refuses to run as root. Where we are root, the command runs in a user namespace of its
own, as another user inside and as root outside, so that no folder has to be opened for it; where
namespaces are not allowed, as `nobody`. SIGNAL is sent when the parent dies (0: none).

A file of its own that imports no package, as it is executed before every such command.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
INSIDE = 1000


def enter_namespace(libc: ctypes.CDLL) -> bool:
    if libc.unshare(CLONE_NEWUSER) != 0:
        return False
    me = Path("/proc/self")
    try:
        (me / "setgroups").write_text("deny")
        (me / "uid_map").write_text(f"{INSIDE} 0 1")
        (me / "gid_map").write_text(f"{INSIDE} 0 1")
    except OSError:
        return False
    return os.geteuid() == INSIDE


def ids_of_nobody() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def become_nobody() -> None:
    user, group = ids_of_nobody()
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def can_enter_namespace() -> bool:
    """Try it in a child, as a namespace once entered cannot be left."""
    child = os.fork()
    if child == 0:
        os._exit(0 if enter_namespace(ctypes.CDLL(None, use_errno=True)) else 1)
    return os.waitpid(child, 0)[1] == 0


def can_nobody_enter(folder: Path) -> bool:
    """Tried in a child as well. In some containers, nobody can become `nobody`."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            become_nobody()
            code = 0 if os.access(folder, os.X_OK) else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    death, command = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    if os.geteuid() == 0:
        if can_enter_namespace():
            enter_namespace(libc)
        else:
            become_nobody()
    if death:
        libc.prctl(PR_SET_PDEATHSIG, death, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    try:
        os.execv(command[0], command)
    except PermissionError:
        sys.exit(
            f"The user 'nobody' cannot reach {command[0]} and user namespaces are not allowed here."
            " Run Granary as a user who is not root, or keep the checkout and the data folder where"
            " every user may enter."
        )


if __name__ == "__main__":
    main()
