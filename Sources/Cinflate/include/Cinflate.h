#ifndef CINFLATE_H
#define CINFLATE_H
/* Decompresses streams that are one block with tables that were met before: half of the time that a short stream takes goes
   into the tables of its block (RFC 1951, section 3.2.7), and many short streams in a row have the same. */
#include <stddef.h>
#include <stdint.h>

/* The tables that were met last; used by one thread at a time. */
typedef struct cinflate_tables cinflate_tables;

/* NULL when out of memory; free() takes it back. */
cinflate_tables *cinflate_allocate_tables(void);

/* Fills `out` from a zlib stream (RFC 1950) of one block with dynamic tables, and returns how many bytes of `in` come before
   the checksum, which is the caller's to compare. 0 for whatever is another stream, or damaged, or of another length: some of
   `out` may be written to by then. */
size_t cinflate_one_block(
    cinflate_tables *tables, const uint8_t *in, size_t in_count, uint8_t *out, size_t out_count);
#endif
