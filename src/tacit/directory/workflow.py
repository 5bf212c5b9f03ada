"""The workflow that comments on a pull request which changes labels, for GitHub; its steps run anywhere else, too."""

from __future__ import annotations

from pathlib import Path

WORKFLOW = ".github/workflows/labels.yml"

_TEMPLATE = """\
# Comments on a pull request that changes labels: what changed, what lint says about that, and what it does to the program.
# Written by `tacit new`; change what you like. The two compilations take the minutes of [budget] in tacit.toml each.
name: labels
on:
  pull_request:
    paths: [{paths}]
permissions:
  contents: read
  pull-requests: write
  security-events: write
concurrency:
  group: {name}-${{{{ github.ref }}}}
  cancel-in-progress: true
jobs:
  labels:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    env:
      PROGRAM: "{program}"
      BASE: "HEAD^1" # what is checked out is the merge of the pull request; its first parent is the branch that it goes into
      REPORT: "/tmp/labels-report"
      MARK: "<!-- tacit {name} -->"
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install
        run: |
          pip install "tacit[train]"
      - name: Media
        run: |
          mkdir -p "$REPORT"
          if grep -q '^remote *=' "$PROGRAM/tacit.toml"; then tacit media pull "$PROGRAM"; fi
      - name: Label diff
        run: |
          tacit labels diff "$BASE" HEAD --in "$PROGRAM" --markdown --sheet "$REPORT/labels.png" > "$REPORT/labels.md"
      - name: Lint
        run: |
          code=0
          tacit lint "$PROGRAM" --since "$BASE" --markdown --sarif "$REPORT/lint.sarif" > "$REPORT/lint.md" || code=$?
          echo "$code" > "$REPORT/lint.code"
      - name: Behaviour diff
        run: |
          git worktree add --detach --force "$REPORT/base" "$BASE"
          if [ -f "$REPORT/base/$PROGRAM/tacit.toml" ]; then
            mkdir -p "$PROGRAM/media"
            [ -e "$REPORT/base/$PROGRAM/media" ] || ln -s "$(realpath "$PROGRAM/media")" "$REPORT/base/$PROGRAM/media"
            if grep -q '^remote *=' "$REPORT/base/$PROGRAM/tacit.toml"; then tacit media pull "$REPORT/base/$PROGRAM"; fi
            # exit code 1: a goal is not met, which `tacit test` is there to judge
            tacit compile "$REPORT/base/$PROGRAM" -o "$REPORT/base.tacit" || [ $? -eq 1 ]
            tacit compile "$PROGRAM" -o "$REPORT/head.tacit" || [ $? -eq 1 ]
            tacit diff "$REPORT/base.tacit" "$REPORT/head.tacit" --in "$PROGRAM" --markdown \\
              --sheet "$REPORT/behaviour.png" > "$REPORT/behaviour.md"
          fi
      - name: Report
        if: always()
        run: |
          run="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
          echo "$MARK" > "$REPORT/comment.md"
          for part in labels lint behaviour; do
            if [ -f "$REPORT/$part.md" ]; then cat "$REPORT/$part.md"; else echo "$part: not done, see the run"; fi
            echo
          done | head -c 60000 >> "$REPORT/comment.md"
          printf '\\nContact sheets: the artifacts of [the run](%s).\\n' "$run" >> "$REPORT/comment.md"
          cat "$REPORT/comment.md" >> "$GITHUB_STEP_SUMMARY"
      - name: Comment
        if: always()
        continue-on-error: true # a pull request from a fork may not comment; the summary of the run has it all
        env:
          GH_TOKEN: ${{{{ github.token }}}}
          NUMBER: ${{{{ github.event.number }}}}
        run: |
          comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
          mine=$(gh api "$comments" --paginate --jq ".[] | select(.body | startswith(\\"$MARK\\")) | .id" | head -n 1)
          if [ -n "$mine" ]; then
            gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$mine" -F body=@"$REPORT/comment.md" > /dev/null
          else
            gh api --method POST "$comments" -F body=@"$REPORT/comment.md" > /dev/null
          fi
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: {name}
          path: /tmp/labels-report/*.png
          if-no-files-found: ignore
      - uses: github/codeql-action/upload-sarif@v3
        if: always()
        continue-on-error: true # needs code scanning, which not every repository has
        with:
          sarif_file: /tmp/labels-report/lint.sarif
      - name: Verdict
        run: |
          exit "$(cat "$REPORT/lint.code")"
"""


def workflow_text(directory: Path) -> str:
    """Give the workflow of a program directory, which may be a folder within a larger repository."""
    root = repository_root(directory)
    program = directory.resolve().relative_to(root).as_posix() if root is not None else "."
    prefix = "" if program == "." else f"{program}/"
    watched = [f"{prefix}labels/**", f"{prefix}tacit.toml", f"{prefix}tests.toml"]
    name = "labels" if program == "." else f"labels-{directory.resolve().name}"
    return _TEMPLATE.format(program=_quoted(program), paths=", ".join(f'"{_quoted(path)}"' for path in watched), name=_plain(name))


def workflow_note(directory: Path) -> str:
    """Say where the workflow has to stand so that GitHub runs it."""
    root = repository_root(directory)
    if root is None or root == directory.resolve():
        return f"GitHub comments on pull requests by {WORKFLOW}, once {directory} is a repository of its own"
    target = f".github/workflows/{_plain(f'labels-{directory.resolve().name}')}.yml"
    return f"for comments on pull requests: mv {directory / WORKFLOW} {root / target} (GitHub reads only the root's)"


def repository_root(directory: Path) -> Path | None:
    """Find the folder with `.git` that a directory, which need not be there yet, is or lies in."""
    resolved = directory.resolve()
    return next((folder for folder in (resolved, *resolved.parents) if (folder / ".git").exists()), None)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in text)
