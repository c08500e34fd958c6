#ifndef CSEARCH_H
#define CSEARCH_H
/* Where one of many beginnings may stand in a text, sixteen or thirty-two places at once: the "Teddy" of Hyperscan (Wang et
   al., NSDI 2019) for beginnings of three bytes. */
#include <stdint.h>

/* Beginnings in eight groups. A bit of low[i][n] says that byte i of a beginning in that group ends in the four bits n, one
   of high[i][n] that it begins with them. The bit csearch_number() of `whole` is set for each beginning: halves of several
   that meet in one place are mostly none. */
typedef struct {
    uint8_t low[3][16];
    uint8_t high[3][16];
    uint8_t whole[512];
} csearch_beginnings;

/* A number below 4096 for three bytes, each of which has the bit 0x20 set (Knuth's multiplication). */
static inline uint32_t csearch_number(uint8_t first, uint8_t second, uint8_t third) {
    return ((uint32_t)first | (uint32_t)second << 8 | (uint32_t)third << 16) * 0x9e3779b1u >> 20;
}

/* The first place from `start` on at which three bytes, each with the bit 0x20 set, may be a beginning: never too late,
   seldom in vain. `count` when there is none. */
long csearch_next(const csearch_beginnings *beginnings, const void *bytes, long start, long count);
#endif
