#define _GNU_SOURCE
#include "Cfiles.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int cfiles_openat(int directory, const char *name, int flags, unsigned int mode) {
    return openat(directory, name, flags, mode);
}

int cfiles_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

int cfiles_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int cfiles_hold(const char *path) { return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC); }

int cfiles_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

int cfiles_syncfs(int descriptor) { return syncfs(descriptor); }

int cfiles_start_writeback(int descriptor, long offset, long count) {
    return sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}

int cfiles_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int cfiles_lock(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB); }

int cfiles_try_lock(int descriptor) {
    return flock(descriptor, LOCK_SH | LOCK_NB) == 0 ? flock(descriptor, LOCK_UN) : -1;
}

long cfiles_next_hole(int descriptor, long offset) { return lseek(descriptor, offset, SEEK_HOLE); }

long cfiles_next_data(int descriptor, long offset) { return lseek(descriptor, offset, SEEK_DATA); }

static int open_resolving(int directory, const char *path, int flags, unsigned long long resolve) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned long long)(unsigned int)flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int cfiles_open_below(int directory, const char *path, int flags) { return open_resolving(directory, path, flags, 0); }

int cfiles_open_on_same_mount(int directory, const char *name, int flags) {
    return open_resolving(directory, name, flags, RESOLVE_NO_XDEV);
}

long cfiles_list(int descriptor, void *buffer, unsigned long size) {
    return syscall(SYS_getdents64, descriptor, buffer, size);
}

int cfiles_entry_length(const void *entry) { return ((const struct dirent64 *)entry)->d_reclen; }

const char *cfiles_entry_name(const void *entry) { return ((const struct dirent64 *)entry)->d_name; }

long cfiles_file_system(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (long)(status.f_type & 0xffffffff) : -1;
}

int cfiles_usable_processors(void *set, unsigned long size) { return sched_getaffinity(0, size, set); }

int cfiles_use_processors(const void *set, unsigned long size) { return sched_setaffinity(0, size, set); }
