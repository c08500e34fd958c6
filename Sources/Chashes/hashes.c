#include "Chashes.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* "Intel SHA Extensions" (Gulley, Gopal, Yap, Feghali, Guilford, Wolrich, 2013) says what each instruction does. A group
   is four rounds; `m` and `n` are the last sixteen words of the two message schedules, four to a register. */

/* FIPS 180-4, section 4.2.2. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Group `g` of the twenty of SHA-1. */
#define SHA1_GROUP_OF(g, abcd, e, m)                                                               \
    do {                                                                                           \
        __m128i next = (g) == 0 ? _mm_add_epi32(e, m[0]) : _mm_sha1nexte_epu32(e, m[(g) & 3]);     \
        if ((g) >= 3 && (g) <= 18)                                                                 \
            m[((g) + 1) & 3] = _mm_sha1msg2_epu32(m[((g) + 1) & 3], m[(g) & 3]);                   \
        e = abcd;                                                                                  \
        abcd = _mm_sha1rnds4_epu32(abcd, next, (g) / 5);                                           \
        if ((g) >= 1 && (g) <= 16)                                                                 \
            m[((g) - 1) & 3] = _mm_sha1msg1_epu32(m[((g) - 1) & 3], m[(g) & 3]);                   \
        if ((g) >= 2 && (g) <= 17) m[((g) - 2) & 3] = _mm_xor_si128(m[((g) - 2) & 3], m[(g) & 3]); \
    } while (0)
#define SHA1_GROUP(g) SHA1_GROUP_OF(g, abcd, e, m)
/* The same group of two hashes. */
#define SHA1_GROUPS(g) SHA1_GROUP_OF(g, abcd, e, m); SHA1_GROUP_OF(g, other_abcd, other_e, other_m)

/* Group `g` of the sixteen of SHA-256. */
#define SHA256_GROUP_OF(g, abef, cdgh, n)                                                          \
    do {                                                                                           \
        __m128i sum = _mm_add_epi32(n[(g) & 3], _mm_loadu_si128((const __m128i *)constants + (g))); \
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);                                             \
        if ((g) >= 3 && (g) <= 14) {                                                               \
            __m128i shifted = _mm_alignr_epi8(n[(g) & 3], n[((g) - 1) & 3], 4);                    \
            n[((g) + 1) & 3] =                                                                     \
                _mm_sha256msg2_epu32(_mm_add_epi32(n[((g) + 1) & 3], shifted), n[(g) & 3]);        \
        }                                                                                          \
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));                    \
        if ((g) >= 1 && (g) <= 12)                                                                 \
            n[((g) - 1) & 3] = _mm_sha256msg1_epu32(n[((g) - 1) & 3], n[(g) & 3]);                 \
    } while (0)
#define SHA256_GROUP(g) SHA256_GROUP_OF(g, abef, cdgh, n)
/* The same group of two hashes. */
#define SHA256_GROUPS(g)                                                                           \
    SHA256_GROUP_OF(g, abef, cdgh, n); SHA256_GROUP_OF(g, other_abef, other_cdgh, other_n)

/* The words of a SHA-256 as the instructions have them, and back. */
#define SHA256_LOAD(words, abef, cdgh)                                                             \
    do {                                                                                           \
        const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(words)), 0xb1);   \
        const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(words) + 1), 0x1b); \
        abef = _mm_alignr_epi8(badc, hgfe, 8);                                                     \
        cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);                                                  \
    } while (0)
#define SHA256_STORE(words, abef, cdgh)                                                            \
    do {                                                                                           \
        const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);  \
        _mm_storeu_si128((__m128i *)(words), _mm_blend_epi16(feba, dchg, 0xf0));                   \
        _mm_storeu_si128((__m128i *)(words) + 1, _mm_alignr_epi8(dchg, feba, 8));                  \
    } while (0)

int chashes_has_instructions(void) {
    unsigned int a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_SHA)) return 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
}

__attribute__((target("sha,sse4.1,ssse3"))) void
chashes_add_blocks(uint32_t *sha1, const void *first, uint32_t *sha256, const void *second, size_t blocks) {
    const uint8_t *p = first, *q = second;
    const __m128i reversed = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    const __m128i swapped = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)sha1), 0x1b);
    __m128i last_e = _mm_set_epi32((int)sha1[4], 0, 0, 0);
    __m128i abef, cdgh;
    SHA256_LOAD(sha256, abef, cdgh);

    for (; blocks > 0; blocks--, p += 64, q += 64) {
        const __m128i old_abcd = abcd, old_abef = abef, old_cdgh = cdgh;
        __m128i e = last_e, m[4], n[4];
        for (int i = 0; i < 4; i++) {
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), reversed);
            n[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)q + i), swapped);
        }
        SHA1_GROUP(0); SHA256_GROUP(0); SHA1_GROUP(1); SHA256_GROUP(1); SHA1_GROUP(2); SHA256_GROUP(2);
        SHA1_GROUP(3); SHA256_GROUP(3); SHA1_GROUP(4); SHA1_GROUP(5); SHA256_GROUP(4); SHA1_GROUP(6);
        SHA256_GROUP(5); SHA1_GROUP(7); SHA256_GROUP(6); SHA1_GROUP(8); SHA256_GROUP(7); SHA1_GROUP(9);
        SHA1_GROUP(10); SHA256_GROUP(8); SHA1_GROUP(11); SHA256_GROUP(9); SHA1_GROUP(12); SHA256_GROUP(10);
        SHA1_GROUP(13); SHA256_GROUP(11); SHA1_GROUP(14); SHA1_GROUP(15); SHA256_GROUP(12); SHA1_GROUP(16);
        SHA256_GROUP(13); SHA1_GROUP(17); SHA256_GROUP(14); SHA1_GROUP(18); SHA256_GROUP(15); SHA1_GROUP(19);
        last_e = _mm_sha1nexte_epu32(e, last_e);
        abcd = _mm_add_epi32(abcd, old_abcd);
        abef = _mm_add_epi32(abef, old_abef);
        cdgh = _mm_add_epi32(cdgh, old_cdgh);
    }

    _mm_storeu_si128((__m128i *)sha1, _mm_shuffle_epi32(abcd, 0x1b));
    sha1[4] = (uint32_t)_mm_extract_epi32(last_e, 3);
    SHA256_STORE(sha256, abef, cdgh);
}

__attribute__((target("sha,sse4.1,ssse3"))) void
chashes_add_blocks_to_two_sha1(uint32_t *one, const void *first, uint32_t *other, const void *second, size_t blocks) {
    const uint8_t *p = first, *q = second;
    const __m128i reversed = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);

    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)one), 0x1b);
    __m128i other_abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)other), 0x1b);
    __m128i last_e = _mm_set_epi32((int)one[4], 0, 0, 0), other_last_e = _mm_set_epi32((int)other[4], 0, 0, 0);

    for (; blocks > 0; blocks--, p += 64, q += 64) {
        const __m128i old_abcd = abcd, other_old_abcd = other_abcd;
        __m128i e = last_e, other_e = other_last_e, m[4], other_m[4];
        for (int i = 0; i < 4; i++) {
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), reversed);
            other_m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)q + i), reversed);
        }
        SHA1_GROUPS(0); SHA1_GROUPS(1); SHA1_GROUPS(2); SHA1_GROUPS(3); SHA1_GROUPS(4);
        SHA1_GROUPS(5); SHA1_GROUPS(6); SHA1_GROUPS(7); SHA1_GROUPS(8); SHA1_GROUPS(9);
        SHA1_GROUPS(10); SHA1_GROUPS(11); SHA1_GROUPS(12); SHA1_GROUPS(13); SHA1_GROUPS(14);
        SHA1_GROUPS(15); SHA1_GROUPS(16); SHA1_GROUPS(17); SHA1_GROUPS(18); SHA1_GROUPS(19);
        last_e = _mm_sha1nexte_epu32(e, last_e);
        other_last_e = _mm_sha1nexte_epu32(other_e, other_last_e);
        abcd = _mm_add_epi32(abcd, old_abcd);
        other_abcd = _mm_add_epi32(other_abcd, other_old_abcd);
    }

    _mm_storeu_si128((__m128i *)one, _mm_shuffle_epi32(abcd, 0x1b));
    one[4] = (uint32_t)_mm_extract_epi32(last_e, 3);
    _mm_storeu_si128((__m128i *)other, _mm_shuffle_epi32(other_abcd, 0x1b));
    other[4] = (uint32_t)_mm_extract_epi32(other_last_e, 3);
}

__attribute__((target("sha,sse4.1,ssse3"))) void
chashes_add_blocks_to_two_sha256(
    uint32_t *one, const void *first, uint32_t *other, const void *second, size_t blocks) {
    const uint8_t *p = first, *q = second;
    const __m128i swapped = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

    __m128i abef, cdgh, other_abef, other_cdgh;
    SHA256_LOAD(one, abef, cdgh);
    SHA256_LOAD(other, other_abef, other_cdgh);

    for (; blocks > 0; blocks--, p += 64, q += 64) {
        const __m128i old_abef = abef, old_cdgh = cdgh, other_old_abef = other_abef, other_old_cdgh = other_cdgh;
        __m128i n[4], other_n[4];
        for (int i = 0; i < 4; i++) {
            n[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), swapped);
            other_n[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)q + i), swapped);
        }
        SHA256_GROUPS(0); SHA256_GROUPS(1); SHA256_GROUPS(2); SHA256_GROUPS(3); SHA256_GROUPS(4);
        SHA256_GROUPS(5); SHA256_GROUPS(6); SHA256_GROUPS(7); SHA256_GROUPS(8); SHA256_GROUPS(9);
        SHA256_GROUPS(10); SHA256_GROUPS(11); SHA256_GROUPS(12); SHA256_GROUPS(13); SHA256_GROUPS(14);
        SHA256_GROUPS(15);
        abef = _mm_add_epi32(abef, old_abef);
        cdgh = _mm_add_epi32(cdgh, old_cdgh);
        other_abef = _mm_add_epi32(other_abef, other_old_abef);
        other_cdgh = _mm_add_epi32(other_cdgh, other_old_cdgh);
    }

    SHA256_STORE(one, abef, cdgh);
    SHA256_STORE(other, other_abef, other_cdgh);
}

#else

int chashes_has_instructions(void) { return 0; }

void chashes_add_blocks_to_two_sha1(uint32_t *one, const void *first, uint32_t *other, const void *second, size_t blocks) {
    (void)one, (void)first, (void)other, (void)second, (void)blocks;
    __builtin_trap();
}

void chashes_add_blocks_to_two_sha256(
    uint32_t *one, const void *first, uint32_t *other, const void *second, size_t blocks) {
    (void)one, (void)first, (void)other, (void)second, (void)blocks;
    __builtin_trap();
}

void chashes_add_blocks(uint32_t *sha1, const void *first, uint32_t *sha256, const void *second, size_t blocks) {
    (void)sha1, (void)first, (void)sha256, (void)second, (void)blocks;
    __builtin_trap();
}

#endif
