#!/usr/bin/env bash
# Makes this machine a node: libGL for OpenCV, uv, the workspace's environment, and that environment in ~/.bashrc.
# Does only what is missing, so it may run any number of times.
set -euo pipefail

deploy=$(cd "$(dirname "$0")" && pwd)
. "$deploy/environment.sh"

if ! /sbin/ldconfig -p | grep libGL.so.1 >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update
    $sudo apt-get install -y libgl1 libglib2.0-0
fi

PATH=$PATH:$HOME/.cologen-uv/bin
if ! command -v uv >/dev/null; then
    python3 -m venv ~/.cologen-uv  # a Debian Python refuses `pip install` outside of an environment
    ~/.cologen-uv/bin/pip install uv
fi
uv sync --project "$deploy/.." --python 3.11 --no-dev

# `pipelines` is no installed package. Last on the path, so that the folder of a submitted job comes before it.
dirname "$deploy" > "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/cologen-workspace.pth"

[ ! -e ~/.ray/auth_token ] || chmod 600 ~/.ray/auth_token  # the cluster's secret is this user's alone

grep -qsF "$deploy/environment.sh" ~/.bashrc || echo ". $deploy/environment.sh" >> ~/.bashrc
