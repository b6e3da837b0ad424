"""Set the checkout up: a virtual environment in .venv, filled from uv.lock with its hashes.

Called by ./grnry and ./check with the system's Python, so it uses nothing but the standard library.
Everything it makes lies in the checkout: .uv holds the installer and its cache, .venv the product.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
INSTALLER = ROOT / ".uv"
LOCK = ROOT / "uv.lock"
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Linux distributions keep the authorities that the machine trusts."""
STAMPS = {False: VENV / "installed.lock", True: VENV / "installed-dev.lock"}


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def run(what: str, *command: str | Path, env: dict[str, str] | None = None) -> None:
    say(what)
    done = subprocess.run([str(word) for word in command], env=env, stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(f"setup: this failed with exit code {done.returncode}: {what}. See above.")


def is_current(*, dev: bool) -> bool:
    stamp = STAMPS[dev]
    if not (VENV / "bin" / "python").exists():  # the Python that it was made from is gone
        return False
    return stamp.exists() and stamp.read_bytes() == LOCK.read_bytes()


def make_environment(folder: Path) -> Path:
    """Make a virtual environment, anew where an interrupted call left half of one."""
    python = folder / "bin" / "python"
    needed = folder / "bin" / "pip" if folder == INSTALLER else python
    if not needed.exists():
        pip = [] if folder == INSTALLER else ["--without-pip"]
        run(f"making {folder.name}", sys.executable, "-m", "venv", "--clear", *pip, folder)
    return python


def install(*, dev: bool) -> None:
    installer = make_environment(INSTALLER)
    uv = INSTALLER / "bin" / "uv"
    pinned, seen = ROOT / "tools" / "uv.txt", INSTALLER / "uv.txt"
    if not uv.exists() or not seen.exists() or seen.read_bytes() != pinned.read_bytes():
        quiet = ["--quiet", "--disable-pip-version-check", "--require-hashes"]
        run("getting the installer", installer, "-m", "pip", "install", *quiet, "-r", pinned)
        shutil.copyfile(pinned, seen)
    python = make_environment(VENV)
    env = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    env |= {
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "UV_CACHE_DIR": str(INSTALLER / "cache"),
        "UV_PYTHON": str(python),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    if any(Path(store).exists() for store in CERTIFICATES):
        # Else uv knows its own authorities only, and not that of a proxy which the machine trusts.
        env["UV_SYSTEM_CERTS"] = "true"
    if "PIP_CERT" in env:
        env["SSL_CERT_FILE"] = env["PIP_CERT"]
    group = ["--all-groups"] if dev else ["--no-dev"]
    sync = ["sync", "--locked", "--no-install-project", "--compile-bytecode", *group]
    run("installing the packages of uv.lock", uv, "--directory", ROOT, *sync, env=env)
    # The scheme by its name, as Debian's Python has another for what lies outside of environments.
    places = {"base": str(VENV), "platbase": str(VENV)}
    site = sysconfig.get_path("purelib", scheme="venv", vars=places)
    (Path(site) / "grnry-checkout.pth").write_text(os.path.relpath(ROOT / "src", site) + "\n")
    if not dev:
        STAMPS[True].unlink(missing_ok=True)
    for stamp in [STAMPS[False], *([STAMPS[True]] if dev else [])]:
        shutil.copyfile(LOCK, stamp)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="install what the tests need as well")
    wanted: bool = parser.parse_args().dev
    dev = wanted or STAMPS[True].exists()
    with (ROOT / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(dev=dev):
            install(dev=dev)


if __name__ == "__main__":
    main()
