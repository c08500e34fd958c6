#ifndef CFILES_H
#define CFILES_H
/* What Linux offers for files and Swift's importer hides: variadic functions and raw system calls. Nothing here decides
   anything. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static inline int cfiles_openat(int directory, const char *name, int flags, unsigned int mode) {
    return openat(directory, name, flags, mode);
}
static inline int cfiles_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }
/* flags: 1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE (linux/fs.h) */
static inline int cfiles_renameat2(int from_directory, const char *from, int to_directory, const char *to,
                                   unsigned int flags) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}
static inline int cfiles_syncfs(int descriptor) { return (int)syscall(SYS_syncfs, descriptor); }
/* SEEK_HOLE and SEEK_DATA need _GNU_SOURCE, which the importer's own view of unistd.h lacks. */
static inline long cfiles_next_hole(int descriptor, long offset) { return lseek(descriptor, offset, 4); }
static inline long cfiles_next_data(int descriptor, long offset) { return lseek(descriptor, offset, 3); }
#endif
