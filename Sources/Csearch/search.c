#include "Csearch.h"

/* The bit that upper and lower case letters differ in. */
enum { lower_case = 0x20 };

static long next_slowly(const csearch_beginnings *beginnings, const uint8_t *bytes, long start, long count) {
    for (; start + 3 <= count; start++) {
        unsigned groups = 0xff;
        for (int i = 0; i < 3; i++) {
            uint8_t byte = bytes[start + i] | lower_case;
            groups &= beginnings->low[i][byte & 15] & beginnings->high[i][byte >> 4];
        }
        if (groups) return start;
    }
    return count;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("ssse3"))) static long
next_by_sixteens(const csearch_beginnings *beginnings, const uint8_t *bytes, long start, long count) {
    const __m128i nibble = _mm_set1_epi8(15), zero = _mm_setzero_si128(), folded = _mm_set1_epi8(lower_case);
    __m128i low[3], high[3];
    for (int i = 0; i < 3; i++) {
        low[i] = _mm_loadu_si128((const __m128i *)beginnings->low[i]);
        high[i] = _mm_loadu_si128((const __m128i *)beginnings->high[i]);
    }
    for (; start + 18 <= count; start += 16) {
        __m128i groups = _mm_set1_epi8(-1);
        for (int i = 0; i < 3; i++) {
            __m128i text = _mm_or_si128(_mm_loadu_si128((const __m128i *)(bytes + start + i)), folded);
            __m128i last = _mm_and_si128(text, nibble), first = _mm_and_si128(_mm_srli_epi16(text, 4), nibble);
            groups = _mm_and_si128(
                groups, _mm_and_si128(_mm_shuffle_epi8(low[i], last), _mm_shuffle_epi8(high[i], first)));
        }
        int none = _mm_movemask_epi8(_mm_cmpeq_epi8(groups, zero));
        if (none != 0xffff) return start + __builtin_ctz(~(unsigned)none);
    }
    return next_slowly(beginnings, bytes, start, count);
}

long csearch_next(const csearch_beginnings *beginnings, const void *bytes, long start, long count) {
    unsigned a, b, c, d;
    static int has_shuffle = -1;
    int has = __atomic_load_n(&has_shuffle, __ATOMIC_RELAXED);
    if (has < 0) {
        has = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3);
        __atomic_store_n(&has_shuffle, has, __ATOMIC_RELAXED);
    }
    return has ? next_by_sixteens(beginnings, bytes, start, count) : next_slowly(beginnings, bytes, start, count);
}

#else

long csearch_next(const csearch_beginnings *beginnings, const void *bytes, long start, long count) {
    return next_slowly(beginnings, bytes, start, count);
}

#endif
