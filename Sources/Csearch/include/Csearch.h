#ifndef CSEARCH_H
#define CSEARCH_H
/* Where one of many beginnings may stand in a text, sixteen places at once: the "Teddy" of Hyperscan (Wang et al., NSDI 2019)
   for beginnings of three bytes. */
#include <stdint.h>

/* Beginnings in eight groups. A bit of low[i][n] says that byte i of a beginning in that group ends in the four bits n, one
   of high[i][n] that it begins with them. */
typedef struct {
    uint8_t low[3][16];
    uint8_t high[3][16];
} csearch_beginnings;

/* The first place from `start` on at which three bytes, each with the bit 0x20 set, may be a beginning: never too late,
   sometimes in vain. `count` when there is none. */
long csearch_next(const csearch_beginnings *beginnings, const void *bytes, long start, long count);
#endif
