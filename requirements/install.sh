#!/bin/sh
# Installs the package, editable and with pinned dependencies, into a virtual environment that is
# made if need be. Called by the Makefile: install.sh PYTHON VENV EXTRA
set -eu

python=$1
venv=$2
extra=$3

fail() {
    echo "error: $1" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "$python is not installed; name another interpreter: make PYTHON=python3.12"
# The one behind links and shims, because $python may be inside the environment itself.
interpreter=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
3.10 | 3.11 | 3.12 | 3.13) ;;
*) fail "Python 3.10 to 3.13 is needed, and $python is $version; name another: make PYTHON=python3.12" ;;
esac
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make virtual environments; on Debian and Ubuntu: apt install python$version-venv"

# An interrupted run leaves .incomplete behind: pip does not repair every half-installed package,
# so the environment is made anew. So is one that was made here with another interpreter.
made_with=$(cat "$venv/.python" 2>/dev/null || true)
if [ -e "$venv/.incomplete" ] || [ "${made_with:-$interpreter}" != "$interpreter" ]; then
    rm -rf "$venv"
fi
mkdir -p "$venv"
touch "$venv/.incomplete"
if ! "$venv/bin/python" -c '' 2>/dev/null; then
    echo "making $venv with Python $version"
    "$interpreter" -m venv --clear "$venv"
    touch "$venv/.incomplete"
fi
echo "$interpreter" >"$venv/.python"

echo "installing the package and its $extra dependencies into $venv"
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONWARNINGS=ignore # setuptools explains at length what an editable install is
pin=requirements/constraints.txt
"$venv/bin/python" -m pip install --quiet --upgrade -c $pin pip setuptools wheel
# Without build isolation what builds packages is pinned as well.
"$venv/bin/python" -m pip install --quiet --no-build-isolation -c $pin -e ".[$extra]"
rm "$venv/.incomplete"
touch "$venv/.installed-$extra"
