#define _GNU_SOURCE
#include "Cfiles.h"
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A handler may be saying what was said before: so it is left alone for a while. */
static char buffers[4][1024];
static atomic_uint count;
static const char *_Atomic last_words;

static void on_interrupt(int number) {
    const char *words = atomic_load(&last_words);
    for (size_t left = words == NULL ? 0 : strlen(words); left > 0;) {
        ssize_t written = write(STDERR_FILENO, words, left);
        if (written <= 0) break; /* There is nobody left to tell. */
        words += written;
        left -= (size_t)written;
    }
    raise(number); /* SA_RESETHAND: it ends the process now, as it would have without us. */
}

void cfiles_say_when_interrupted(const char *words) {
    static const int numbers[] = {SIGINT, SIGTERM};
    char *buffer = buffers[atomic_fetch_add(&count, 1) % 4];
    snprintf(buffer, sizeof buffers[0], "%s", words);
    atomic_store(&last_words, buffer);
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) {
        struct sigaction before;
        if (sigaction(numbers[index], NULL, &before) != 0) continue;
        /* Ignored, as of a program in the background, or ours already. */
        if ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL) continue;
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_interrupt;
        action.sa_flags = SA_RESETHAND;
        sigemptyset(&action.sa_mask);
        sigaction(numbers[index], &action, NULL);
    }
}
