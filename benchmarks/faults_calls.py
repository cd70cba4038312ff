"""Count every rename, link, unlink and fsync of a process below its data home, or kill the process before one of them,
with a library loaded before libc."""

import shutil
import subprocess
from pathlib import Path

AT, TOTAL, HOME = "FAULTS_KILL_AT", "FAULTS_TOTAL_TO", "FAULTS_HOME"

# Child processes are ignored. Dagster's history (thousands of SQLite calls a night) and files that dbt rewrites are not
# counted.
COUNT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char home[4096], total_to[4096];
static long kill_at;
static pid_t counted;
static atomic_long made;
static void take(const char *name, char *to) { const char *text = getenv(name); if (text) { strncpy(to, text,
4095); unsetenv(name); } }
__attribute__((constructor)) static void begin(void) {
    char at[4096] = "";
    take("FAULTS_KILL_AT", at); take("FAULTS_TOTAL_TO", total_to); take("FAULTS_HOME", home);
    kill_at = atol(at); counted = getpid();
    unsetenv("LD_PRELOAD");
}
__attribute__((destructor)) static void end(void) {
    if (!*total_to || getpid() != counted) return;
    FILE *file = fopen(total_to, "w");
    if (file) { fprintf(file, "%ld", atomic_load(&made)); fclose(file); }
}
static void called(int folder, const char *path) {
    char whole[8192] = "", link[64];
    size_t length = strlen(home);
    if (!length || getpid() != counted) return;
    if (!path || path[0] != '/') {
        if (folder == AT_FDCWD) { if (!getcwd(whole, 4096)) return; }
        else { snprintf(link, sizeof link, "/proc/self/fd/%d", folder); if (readlink(link, whole, 4095) < 0) return; }
        if (path) { strcat(whole, "/"); strncat(whole, path, 4000); }
    } else strncpy(whole, path, 8191);
    if (strncmp(whole, home, length) || whole[length] != '/') return;
    const char *below = whole + length;
    if (!strncmp(below, "/dagster", 8) || !strncmp(below, "/dbt", 4)) return;
    if (atomic_fetch_add(&made, 1) + 1 == kill_at) raise(SIGKILL);
}
#define REAL(name, ...) static int (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
int rename(const char *a, const char *b) { REAL("rename", const char *, const char *); called(AT_FDCWD,
b); return real(a, b); }
int renameat(int i, const char *a, int j, const char *b) { REAL("renameat", int, const char *, int,
const char *); called(j, b); return real(i, a, j, b); }
int link(const char *a, const char *b) { REAL("link", const char *, const char *); called(AT_FDCWD, b); return real(a,
b); }
int linkat(int i, const char *a, int j, const char *b, int f) {
    REAL("linkat", int, const char *, int, const char *, int); called(j, b); return real(i, a, j, b, f);
}
int symlink(const char *a, const char *b) { REAL("symlink", const char *, const char *); called(AT_FDCWD,
b); return real(a, b); }
int unlink(const char *a) { REAL("unlink", const char *); called(AT_FDCWD, a); return real(a); }
int unlinkat(int i, const char *a, int f) { REAL("unlinkat", int, const char *, int); called(i, a); return real(i, a,
f); }
int rmdir(const char *a) { REAL("rmdir", const char *); called(AT_FDCWD, a); return real(a); }
int fsync(int i) { REAL("fsync", int); called(i, 0); return real(i); }
int fdatasync(int i) { REAL("fdatasync", int); called(i, 0); return real(i); }
"""


def compiled(folder: Path, name: str, source: str) -> Path | None:
    """Compile this C source into a library in this folder; None if the machine has no compiler."""
    compiler, library = shutil.which("cc"), folder / f"{name}.so"
    if compiler is None:
        return None
    if not library.exists():
        command = [compiler, "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", str(library), "-ldl"]
        subprocess.run(command, input=source, text=True, check=True)
    return library


def counting(folder: Path, home: Path, total_to: Path) -> dict[str, str] | None:
    """Environment of a command whose calls are counted; the total is written when it ends. None without a compiler."""
    library = compiled(folder, "calls", COUNT)
    return None if library is None else {"LD_PRELOAD": str(library), HOME: str(home), TOTAL: str(total_to)}


def killing(folder: Path, home: Path, number: int) -> dict[str, str]:
    """Environment of a command that is killed just before the call of this number, from 1."""
    return {"LD_PRELOAD": str(compiled(folder, "calls", COUNT)), HOME: str(home), AT: str(number)}
