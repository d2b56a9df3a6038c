"""PostgreSQL refuses to run as root: then it runs as `nobody`, from folders that `nobody` can enter.

A checkout below /root is closed to every other user. Opening the home folder of root would be a
surprise, so programs and data are then kept in /var/lib/b25-analytics instead.
"""

import hashlib
import os
import pwd
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
    if not can_enter(user, programs / "bin", programs / "lib", folder):
        programs, folder = move_outside(programs, folder)
    return Home(programs, folder / "data", user)


def can_enter(user: User, *folders: Path) -> bool:
    """Ask the system itself, since modes, ACLs and mounts all have a say."""
    return all(
        run(["/bin/sh", "-c", 'cd "$0"', str(path)], cwd=Path("/"), user=user).returncode == 0 for path in folders
    )


def move_outside(programs: Path, folder: Path) -> tuple[Path, Path]:
    """Copy the programs, once for each version, and make a folder for the data of this one instance."""
    copy = OUTSIDE / f"programs-{digest(programs.resolve())}"
    if not copy.exists():
        draft = copy.with_suffix(f".{os.getpid()}")
        shutil.copytree(programs, draft, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044 | path.stat().st_mode >> 6 & 0o011))
        draft.replace(copy)
    data = OUTSIDE / digest(folder.resolve())
    data.mkdir(parents=True, exist_ok=True)
    OUTSIDE.chmod(0o755)
    data.chmod(0o755)
    return copy, data


def digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]
