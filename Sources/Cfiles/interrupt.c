#define _GNU_SOURCE
#include "Cfiles.h"
#include <fcntl.h>
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

/* Processes that end with us; 0 where there is none. */
static atomic_int programs[64];

static char *append(char *end, const char *text) {
    while (*text != 0) *end++ = *text++;
    return end;
}

static char *append_number(char *end, int number) {
    char digits[16];
    int length = 0;
    do {
        digits[length++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (length > 0) *end++ = digits[--length];
    return end;
}

/* Ends a process, and then those that it started: a shell goes on with its next command when the one that it waits for ends first. */
static void end_family(int process, int generations) {
    char path[64];
    char children[1024];
    char *end = append_number(append(path, "/proc/"), process);
    end = append(append_number(append(end, "/task/"), process), "/children");
    *end = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, children, sizeof children);
    if (file >= 0) close(file);
    kill(process, SIGTERM);
    int child = 0;
    for (ssize_t index = 0; index < size; index++) {
        if (children[index] >= '0' && children[index] <= '9') {
            child = child * 10 + (children[index] - '0');
            continue;
        }
        if (child > 0 && generations > 0) end_family(child, generations - 1);
        child = 0;
    }
}

static void on_interrupt(int number) {
    for (size_t index = 0; index < sizeof programs / sizeof *programs; index++) {
        int process = atomic_load(&programs[index]);
        if (process > 0) end_family(process, 8);
    }
    const char *words = atomic_load(&last_words);
    for (size_t left = words == NULL ? 0 : strlen(words); left > 0;) {
        ssize_t written = write(STDERR_FILENO, words, left);
        if (written <= 0) break; /* There is nobody left to tell. */
        words += written;
        left -= (size_t)written;
    }
    raise(number); /* SA_RESETHAND: it ends the process now, as it would have without us. */
}

static void handle_interrupts(void) {
    /* SIGHUP: a connection that drops ends a restore more often than anybody does. */
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
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

void cfiles_say_when_interrupted(const char *words) {
    char *buffer = buffers[atomic_fetch_add(&count, 1) % 4];
    snprintf(buffer, sizeof buffers[0], "%s", words);
    atomic_store(&last_words, buffer);
    handle_interrupts();
}

void cfiles_end_when_interrupted(int process) {
    for (size_t index = 0; index < sizeof programs / sizeof *programs; index++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&programs[index], &none, process)) break;
    }
    handle_interrupts();
}

void cfiles_has_ended(int process) {
    for (size_t index = 0; index < sizeof programs / sizeof *programs; index++) {
        int known = process;
        atomic_compare_exchange_strong(&programs[index], &known, 0);
    }
}
