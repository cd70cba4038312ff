"""A night under a clock that was set back or ahead: a library loaded before libc replaces the system's clock."""

from datetime import timedelta
from pathlib import Path

from faults_calls import compiled
from faults_home import SECOND, World
from faults_trial import Skipped, Trial, finish

from onedata.settings import Settings


def clock(trial: Trial) -> None:
    """Run the second night with a clock that is a year or more back or ahead, by a library loaded before libc."""
    library = _clock_library(trial.world)
    trial.begin()
    step = trial.made.choice((-400, -1, 400)) * 86_400
    trial.what = f"the clock is put {step / 86_400:+.0f} days from where it was for night {SECOND}"
    said = trial.world.run(trial.home, environment={"LD_PRELOAD": str(library), "FAULTS_CLOCK_STEP": str(step)})
    trial.outcome = "refused" if said.code else "ended well"
    if (
        step < 0
        and "files of later nights wait" not in said.text
        and Settings().today() + timedelta(seconds=step) < SECOND
    ):
        trial.wrong.append("does not say that files wait for a later night")
    # The next run uses the right clock again.
    finish(trial, said if said.code else trial.world.run(trial.home))


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long step(void) { const char *text = getenv("FAULTS_CLOCK_STEP"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    if (!done && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += step();
    return done;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now; (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def _clock_library(world: World) -> Path:
    library = compiled(world.folder, "clock", CLOCK)
    if library is None:
        raise Skipped("a stepped clock needs a C compiler (cc), for a library that is loaded before libc's")
    return library
