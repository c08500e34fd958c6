#define _GNU_SOURCE
#include "Cfiles.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One file in memory. The signal handler may go through all of them at any time: none is freed, each is used again, and what it says
   is whole before its start says that there is something. */
struct cfiles_mapping {
    _Atomic(uintptr_t) start; /* 0: nothing is mapped */
    _Atomic(uintptr_t) size;
    char *_Atomic words;
    char *_Atomic last_words; /* NULL: zeros will do */
    atomic_int status;
    atomic_bool is_told;
    struct cfiles_mapping *next;
    struct cfiles_mapping *next_unused;
};

static _Atomic(struct cfiles_mapping *) mappings;
static struct cfiles_mapping *unused;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction before;
static uintptr_t page_size;

static void tell(const char *words) {
    for (size_t left = strlen(words); left > 0;) {
        ssize_t written = write(STDERR_FILENO, words, left);
        if (written <= 0) return; /* There is nobody left to tell. */
        words += written;
        left -= (size_t)written;
    }
}

/* Puts zeros where a page is lost; false when that is impossible. */
static bool replace(struct cfiles_mapping *mapping, uintptr_t address) {
    const char *last_words = atomic_load(&mapping->last_words);
    if (last_words) {
        tell(last_words);
        _exit(atomic_load(&mapping->status));
    }
    if (!atomic_exchange(&mapping->is_told, true)) tell(atomic_load(&mapping->words));
    void *page = (void *)(address & ~(page_size - 1));
    return mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static void on_bus_error(int number, siginfo_t *information, void *context) {
    (void)context;
    int error = errno;
    bool is_sent = information->si_code <= 0; /* by somebody, and there is no address */
    uintptr_t address = (uintptr_t)information->si_addr;
    bool is_replaced = false;
    for (struct cfiles_mapping *each = atomic_load(&mappings); each && !is_sent; each = each->next) {
        uintptr_t start = atomic_load(&each->start);
        if (start == 0 || address < start || address - start >= atomic_load(&each->size)) continue;
        is_replaced = replace(each, address);
        break;
    }
    if (!is_replaced) {
        if (!is_sent) tell("error: part of a file cannot be read; the kernel's log says why\n");
        /* What was to be done before us is done when this is tried again, or sent again. */
        sigaction(number, &before, NULL);
        if (is_sent) raise(number);
    }
    errno = error;
}

static void install(void) {
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

/* The lock is held. */
static struct cfiles_mapping *take_unused(void) {
    struct cfiles_mapping *mapping = unused;
    if (mapping) {
        unused = mapping->next_unused;
    } else if ((mapping = calloc(1, sizeof *mapping))) {
        mapping->next = atomic_load(&mappings);
        atomic_store(&mappings, mapping);
    }
    return mapping;
}

struct cfiles_mapping *cfiles_map(int descriptor, unsigned long size, const char *words) {
    pthread_once(&once, install);
    void *start = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (start == MAP_FAILED) return NULL;
    pthread_mutex_lock(&lock);
    char *copy = strdup(words);
    struct cfiles_mapping *mapping = copy ? take_unused() : NULL;
    if (mapping) {
        atomic_store(&mapping->size, size);
        atomic_store(&mapping->words, copy);
        atomic_store(&mapping->is_told, false);
        atomic_store(&mapping->start, (uintptr_t)start);
    }
    pthread_mutex_unlock(&lock);
    if (mapping) return mapping;
    free(copy);
    munmap(start, size);
    errno = ENOMEM;
    return NULL;
}

const void *cfiles_start(const struct cfiles_mapping *mapping) { return (const void *)atomic_load(&mapping->start); }

int cfiles_end_when_lost(struct cfiles_mapping *mapping, const char *last_words, int status) {
    char *copy = strdup(last_words);
    if (!copy) abort();
    atomic_store(&mapping->status, status);
    free(atomic_exchange(&mapping->last_words, copy));
    return !atomic_load(&mapping->is_told);
}

void cfiles_unmap(struct cfiles_mapping *mapping) {
    uintptr_t start = atomic_exchange(&mapping->start, 0);
    munmap((void *)start, atomic_load(&mapping->size));
    free(atomic_exchange(&mapping->words, NULL));
    free(atomic_exchange(&mapping->last_words, NULL));
    pthread_mutex_lock(&lock);
    mapping->next_unused = unused;
    unused = mapping;
    pthread_mutex_unlock(&lock);
}
