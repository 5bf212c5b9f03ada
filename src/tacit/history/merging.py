"""Merge a branch, its labels by example id; or finish a `git merge` that stopped at them.

Labels are merged in this process: a merge driver that git starts for each file took six times as long. Nothing is written to the
working tree before it is known that all can be.
"""

from __future__ import annotations

from pathlib import Path

from tacit.examples.turns import LOCK
from tacit.ground.errors import TacitError
from tacit.ground.locks import locked
from tacit.history.git import Repository, find_repository
from tacit.history.merge_plan import Merged, Plan, plan_merge, settle
from tacit.history.stopped import finish_stopped, stopped_merge
from tacit.history.working_tree import Staging, commit_tree, move_branch, refuse_edits


def merge_labels(
    directory: Path, branch: str | None = None, *, both: bool = False, commit: bool = True, message: str | None = None
) -> Merged:
    """Merge a branch into the one that is checked out; labels by example id.

    branch: None finishes the `git merge` (rebase, cherry-pick) that stopped at conflicts.
    both: where the sides contradict each other, ours stays and theirs becomes an opinion in ``labels/by/<author>/``: the example is
    in dispute until a person decides. Otherwise a conflict leaves everything as it was.
    commit: make the merge commit, with both parents; else the merge is left staged. message: of the commit.
    Raises: TacitError for edits that would be overwritten and branches without a common commit; InputError for lines that are no records.
    """
    repository = find_repository(directory)
    if repository.head is None:
        raise TacitError(f"expected a commit to merge into, there is none yet - at `{repository.root}`", fix='git commit -m "Add labels"')
    doing = f"tacit labels merge{f' {branch}' if branch else ''}"
    with locked(repository.git_dir / "tacit-merge.lock", doing), locked(repository.directory / LOCK, doing):
        stopped = stopped_merge(repository)
        if stopped is not None:
            return finish_stopped(repository, stopped, branch, both=both, commit=commit, message=message)
        if branch is None:
            fix = "tacit labels merge BRANCH"
            raise TacitError(f"expected the branch to merge; no merge has stopped here - at `{repository.root}`", fix=fix)
        return _merge(repository, repository.head, branch, both=both, commit=commit, message=message)


def _merge(repository: Repository, head: str, branch: str, *, both: bool, commit: bool, message: str | None) -> Merged:
    theirs = repository.commit(branch)
    bases = repository.line("merge-base", "--all", head, theirs, codes=(0, 1)).split()
    if theirs in bases:
        return Merged(branch, "up to date")
    if not bases:
        cause = "they share no commit" + ("; this is a shallow clone, which may not hold it" if repository.shallow else "")
        fix = "git fetch --unshallow" if repository.shallow else f"git merge --allow-unrelated-histories {branch}"
        raise TacitError(f"expected branches with a commit in common, got `{branch}` - at `{repository.root}`", cause=cause, fix=fix)
    staging = Staging(repository)
    base = _common(repository, staging, bases)
    mine = {entry.path: entry for entry in repository.differing(base, head, ".")}
    other = repository.differing(base, theirs, ".")
    plan = plan_merge(repository, staging, mine, other)
    clashes = settle(repository, plan, branch, head, theirs, both=both)
    if clashes or plan.remaining:
        return Merged(branch, "conflict", conflicts=tuple(clashes), remaining=tuple(plan.remaining))
    staging.write(plan.contents, plan.known)
    staging.paths.update(plan.paths)
    staging.build_index()
    tree = staging.tree()
    ours = {entry.path: entry.before for entry in other if entry.before} | {
        path: entry.after for path, entry in mine.items() if entry.after
    }
    refuse_edits(repository, ours, staging.paths)
    forward = base == head and commit
    text = message or f"Merge {'branch ' if _is_branch(repository, branch) else ''}'{branch}'\n\n{_summary(plan)}\n"
    done = theirs if forward else commit_tree(repository, tree, [head, theirs], text) if commit else None
    staging.put(plan.contents)
    if done is None:
        (repository.git_dir / "MERGE_MSG").write_text(text, encoding="utf-8")
        (repository.git_dir / "MERGE_HEAD").write_text(theirs + "\n", encoding="utf-8")
    else:
        move_branch(repository, done, head, f"merge {branch}: labels merged by example")
    state = "fast-forward" if forward else "merged" if commit else "staged"
    return Merged(branch, state, done, plan.taken, len(staging.paths), kept=tuple(plan.kept), opinions=tuple(plan.opinions))


def _common(repository: Repository, staging: Staging, bases: list[str]) -> str:
    """Give what the sides have in common: their merge base; of several (they merged one another before), the merge of these.

    As in git's recursive merge. With one of several bases alone, a label that one side took back would come back unseen. A record
    about which the bases contradict each other is in none of them, so that the sides have to agree on it or conflict.
    """
    tree = bases[0]
    for base in bases[1:]:
        origin = repository.line("merge-base", bases[0], base, codes=(0, 1)) or repository.empty_tree
        mine = {entry.path: entry for entry in repository.differing(origin, tree, ".")}
        plan = plan_merge(repository, staging, mine, repository.differing(origin, base, "."), ours=tree)
        for merge in plan.merges.values():
            for conflict in list(merge.conflicts):
                merge.decide(conflict, None)
        settle(repository, plan, base, None, None, both=False)
        staging.write(plan.contents, plan.known)
        staging.paths.update(plan.paths)
        staging.build_index(tree)
        tree = staging.tree()
        staging.clear()
    return tree


def _is_branch(repository: Repository, name: str) -> bool:
    return bool(repository.line("rev-parse", "--verify", "--quiet", f"refs/heads/{name}", codes=(0, 1)))


def _summary(plan: Plan) -> str:
    text = f"Labels merged by example: {plan.taken:,} records taken over"
    return f"{text}, {len(plan.kept):,} in dispute kept side by side." if plan.kept else f"{text}."
