#!/usr/bin/env bash
# Format, shell, YAML and structure checks; fast, no build.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.h' '*.cc' | xargs clang-format --dry-run --Werror
git ls-files '*.sh' '.ci/run' | xargs shellcheck
git ls-files '*.yaml' '*.yml' | xargs -r yamllint -s -c .yamllint
python3 scripts/check_structure.py
echo "lint: good"
