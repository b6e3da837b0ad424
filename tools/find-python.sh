# Sourced by ./grnry and ./check: sets $python to one that is new enough and can make environments.
python=
for candidate in "${GRNRY_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Granary needs Python 3.11 or newer with venv and pip (on Debian: apt install python3-venv). Set GRNRY_PYTHON to use one that is not on the PATH." >&2
    exit 1
fi
