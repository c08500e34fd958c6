#ifndef CFILES_H
#define CFILES_H
/* What Linux offers for files and programs and Swift's importer hides: variadic functions, raw system calls, GNU extensions. Nothing
   in files.c decides anything, and the corresponding C functions are named there; mapping.c and interrupt.c are what signal handlers
   need. */
#include <spawn.h>
#include <sys/xattr.h>

int cfiles_openat(int directory, const char *name, int flags, unsigned int mode);
int cfiles_duplicate(int descriptor);
/* posix_spawn_file_actions_addclosefrom_np: what is spawned has no descriptor from `first` on, whoever opened it and however. */
int cfiles_close_from(posix_spawn_file_actions_t *actions, int first);
/* O_PATH: whatever stands at a path, to be named by its descriptor and not opened; a link is not followed. */
int cfiles_hold(const char *path);
/* flags: 1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE (linux/fs.h) */
int cfiles_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);
int cfiles_syncfs(int descriptor);
int cfiles_start_writeback(int descriptor, long offset, long count);
/* memfd_create: a file that is nowhere on a disk. */
int cfiles_memory_file(const char *name);
/* Exclusive flock without waiting. */
int cfiles_lock(int descriptor);
/* -1 with EWOULDBLOCK when somebody has it; takes nothing. */
int cfiles_try_lock(int descriptor);
long cfiles_next_hole(int descriptor, long offset);
long cfiles_next_data(int descriptor, long offset);
/* openat2: a path of several names below the directory, in which no name may be a symbolic link. */
int cfiles_open_below(int directory, const char *path, int flags);
/* openat2: a name in the directory, that is no symbolic link and at which nothing is mounted, of whichever file system. */
int cfiles_open_on_same_mount(int directory, const char *name, int flags);
/* statfs: the number that linux/magic.h has for the file system of a path; -1 and errno when that fails. */
long cfiles_file_system(const char *path);
/* sched_getaffinity and sched_setaffinity of the calling thread: a set is bits, of as many bytes as are given; 0, or -1. */
int cfiles_usable_processors(void *set, unsigned long size);
int cfiles_use_processors(const void *set, unsigned long size);
/* getdents64, and the parts of one of its entries. */
long cfiles_list(int descriptor, void *buffer, unsigned long size);
int cfiles_entry_length(const void *entry);
const char *cfiles_entry_name(const void *entry);
/* mmap of a whole file for reading, NULL and errno when that fails. Where the disk cannot give a page of it, or somebody cut the file,
   Linux sends SIGBUS, of which a process ends without a word: here the page is zeros then, and the first time `words` are written to
   standard error. */
struct cfiles_mapping;
struct cfiles_mapping *cfiles_map(int descriptor, unsigned long size, const char *words);
const void *cfiles_start(const struct cfiles_mapping *mapping);
/* From now on the process exits with `status` when a page is lost, after it has written `last_words`. 0 when one is lost already. */
int cfiles_end_when_lost(struct cfiles_mapping *mapping, const char *last_words, int status);
void cfiles_unmap(struct cfiles_mapping *mapping);
/* From now on SIGINT, SIGTERM and SIGHUP write `words` to standard error, and end the process as they do by themselves. Not where
   they are ignored. */
void cfiles_say_when_interrupted(const char *words);
/* From now on SIGINT, SIGTERM and SIGHUP end a process, and all that it started, before they end this one; until it is told that it
   has ended. */
void cfiles_end_when_interrupted(int process);
void cfiles_has_ended(int process);
#endif
