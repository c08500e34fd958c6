#include "Csearch.h"

/* The bit that upper and lower case letters differ in. */
enum { lower_case = 0x20 };

static int is_beginning(const csearch_beginnings *beginnings, const uint8_t *bytes) {
    uint32_t number = csearch_number(bytes[0] | lower_case, bytes[1] | lower_case, bytes[2] | lower_case);
    return beginnings->whole[number >> 3] >> (number & 7) & 1;
}

static long next_slowly(const csearch_beginnings *beginnings, const uint8_t *bytes, long start, long count) {
    for (; start + 3 <= count; start++) {
        if (is_beginning(beginnings, bytes + start)) return start;
    }
    return count;
}

#if defined(__x86_64__)
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
        unsigned some = 0xffff ^ (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(groups, zero));
        for (; some; some &= some - 1) {
            long place = start + __builtin_ctz(some);
            if (is_beginning(beginnings, bytes + place)) return place;
        }
    }
    return next_slowly(beginnings, bytes, start, count);
}

__attribute__((target("avx2"))) static long
next_by_thirty_twos(const csearch_beginnings *beginnings, const uint8_t *bytes, long start, long count) {
    const __m256i nibble = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    const __m256i folded = _mm256_set1_epi8(lower_case);
    __m256i low[3], high[3];
    for (int i = 0; i < 3; i++) {
        low[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)beginnings->low[i]));
        high[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)beginnings->high[i]));
    }
    for (; start + 34 <= count; start += 32) {
        __m256i groups = _mm256_set1_epi8(-1);
        for (int i = 0; i < 3; i++) {
            __m256i text = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)(bytes + start + i)), folded);
            __m256i last = _mm256_and_si256(text, nibble), first = _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble);
            groups = _mm256_and_si256(
                groups, _mm256_and_si256(_mm256_shuffle_epi8(low[i], last), _mm256_shuffle_epi8(high[i], first)));
        }
        unsigned some = ~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(groups, zero));
        for (; some; some &= some - 1) {
            long place = start + __builtin_ctz(some);
            if (is_beginning(beginnings, bytes + place)) return place;
        }
    }
    return next_by_sixteens(beginnings, bytes, start, count);
}

typedef long next_beginning(const csearch_beginnings *, const uint8_t *, long, long);

static next_beginning *fastest(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) return next_by_thirty_twos;
    return __builtin_cpu_supports("ssse3") ? next_by_sixteens : next_slowly;
}

long csearch_next(const csearch_beginnings *beginnings, const void *bytes, long start, long count) {
    static next_beginning *chosen;
    next_beginning *next = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!next) {
        next = fastest();
        __atomic_store_n(&chosen, next, __ATOMIC_RELAXED);
    }
    return next(beginnings, bytes, start, count);
}

#else

long csearch_next(const csearch_beginnings *beginnings, const void *bytes, long start, long count) {
    return next_slowly(beginnings, bytes, start, count);
}

#endif
