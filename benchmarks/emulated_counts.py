"""Count the instructions that a program executes under qemu-user, on any machine, by a small plugin for qemu.

The declarations are those of https://www.qemu.org/docs/master/devel/tcg-plugins.html; a plugin states the version of the interface
that it was made for, and each qemu takes a few.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

_VERSIONS = range(1, 9)
_PLUGIN = r"""
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

struct qemu_plugin_tb;
typedef uint64_t plugin_id;
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

__attribute__((visibility("default"))) int qemu_plugin_version = VERSION;
static uint64_t count;

static void executed(unsigned processor, void *instructions) { (void)processor; count += (uintptr_t)instructions; }
static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}
static void ended(plugin_id id, void *nothing)
{
    char text[40];
    (void)id, (void)nothing;
    if (write(2, text, (size_t)snprintf(text, sizeof text, "instructions %llu\n", (unsigned long long)count)) < 0)
        count = 0;
}
__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *about, int given, char **values)
{
    (void)about, (void)given, (void)values;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, 0);
    return 0;
}
"""


def emulated_count(emulator: Sequence[str], program: Path, data: bytes, folder: Path) -> int:
    """Give how many instructions a program executes from its start to its end. Raises: RuntimeError when no plugin fits this qemu."""
    said = b""
    for version in _VERSIONS:
        plugin = folder / f"count-{version}.so"
        if not plugin.exists():
            (folder / "count.c").write_text(_PLUGIN, encoding="utf-8")
            words = ["gcc", "-O2", "-shared", "-fPIC", f"-DVERSION={version}", "-o", str(plugin), str(folder / "count.c")]
            subprocess.run(words, check=True)
        done = subprocess.run([*emulator, "-plugin", str(plugin), str(program)], input=data, capture_output=True, timeout=600, check=False)
        said = done.stderr
        if done.returncode == 0 and said.startswith(b"instructions "):
            return int(said.split()[1])
    raise RuntimeError(f"expected qemu to count, got: {said.decode(errors='replace')[:500]}")
