"""PostgreSQL refuses to run as root: then it runs as `nobody`, from folders that `nobody` can enter.

A checkout below /root is closed to every other user. Opening the home folder of root would be a
surprise, so programs and data are then kept in /var/lib/b25-analytics instead.
"""

import hashlib
import os
import pwd
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from analytics_project.services.process import User, run

OUTSIDE = Path("/var/lib/b25-analytics")


@dataclass(frozen=True)
class Home:
    """Where PostgreSQL's programs and data lie, and whom it runs as."""

    programs: Path
    data: Path
    user: User | None

    def owned(self, path: Path, content: str | None = None) -> Path:
        """Make an empty folder, or a file, that only PostgreSQL's user may read."""
        if content is None:
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(mode=0o700)
        else:
            path.touch(mode=0o600)
            path.write_text(content)
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)
        return path


def home_of(programs: Path, folder: Path) -> Home:
    """Decide where PostgreSQL of this folder lives."""
    if os.geteuid() != 0:
        return Home(programs, folder / "data", None)
    entry = pwd.getpwnam("nobody")
    user = User(entry.pw_uid, entry.pw_gid)
    folder.mkdir(parents=True, exist_ok=True)
    if not can_use(user, programs, folder):
        programs, folder = move_outside(programs, folder)
    return Home(programs, folder / "data", user)


def can_use(user: User, programs: Path, folder: Path) -> bool:
    """Ask the system itself, since modes, ACLs, mounts and libraries all have a say."""
    script = '"$0" --version && cd "$1"'
    command = ["/bin/sh", "-c", script, str(programs / "bin" / "postgres"), str(folder)]
    return run(command, cwd=Path("/"), user=user).returncode == 0


def move_outside(programs: Path, folder: Path) -> tuple[Path, Path]:
    """Copy the programs, once for each version, and make a folder for the data of this one instance."""
    package = programs.parent
    copy = OUTSIDE / f"programs-{hashlib.sha256(str(programs.resolve()).encode()).hexdigest()[:12]}"
    if not copy.exists():
        draft = copy.with_suffix(f".{os.getpid()}")
        # The programs look for their libraries where the wheel puts them: beside the package.
        for part in (Path(package.name, programs.name), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, draft / part, symlinks=True)
        open_for_all(draft)
        draft.replace(copy)
    # Named by a file in the folder, not by its path: who removes `.services` begins anew.
    marker = folder / "outside"
    if not marker.exists():
        marker.write_text(secrets.token_hex(6))
    data = OUTSIDE / marker.read_text()
    data.mkdir(parents=True, exist_ok=True)
    OUTSIDE.chmod(0o755)
    data.chmod(0o755)
    return copy / package.name / programs.name, data


def open_for_all(folder: Path) -> None:
    """Let everybody read, enter and run what the owner may."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)
