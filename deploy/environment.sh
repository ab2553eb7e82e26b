# What a shell on a node must know: the workspace's Python and Ray come first. setup.sh adds this file to ~/.bashrc,
# because `ray submit`, `ray up` and `ray down` run plain `python` and `ray` there. No PYTHONPATH: Ray's workers may
# read ~/.bashrc as well, and would lose the one of their job.
workspace=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export UV_PROJECT_ENVIRONMENT=$workspace-env  # beside the workspace: Ray reads every file inside it to see changes
export PATH=$UV_PROJECT_ENVIRONMENT/bin:$PATH
export RAY_ENABLE_UV_RUN_RUNTIME_ENV=0  # or Ray under `uv run` builds a second environment for its workers
export RAY_AUTH_MODE=token  # or `ray start` on a worker does not show its token, and the head turns it away
unset workspace
