#ifndef CHASHES_H
#define CHASHES_H
/* Two hashes at once: SHA-1 and SHA-256 of the same bytes, or either of two texts. Each round of either waits for the one before
   it; the processor has the other's to do meanwhile, so that both cost little more than one. All else of the hashes is
   libcrypto's. */
#include <stddef.h>
#include <stdint.h>

/* Whether this processor has the instructions; without them nothing else here may be called. */
int chashes_has_instructions(void);
/* Adds as many blocks of 64 bytes from `first` to the five words of a SHA-1 and from `second` to the eight of a SHA-256. */
void chashes_add_blocks(uint32_t *sha1, const void *first, uint32_t *sha256, const void *second, size_t blocks);
/* Adds as many blocks of 64 bytes from `first` to the five words of one SHA-1 and from `second` to those of another. */
void chashes_add_blocks_to_two_sha1(uint32_t *one, const void *first, uint32_t *other, const void *second, size_t blocks);
/* The same for the eight words of one SHA-256 and those of another. */
void chashes_add_blocks_to_two_sha256(
    uint32_t *one, const void *first, uint32_t *other, const void *second, size_t blocks);
#endif
